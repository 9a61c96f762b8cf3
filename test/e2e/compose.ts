import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { getCACertificates, setDefaultCACertificates } from 'node:tls'
import { fileURLToPath } from 'node:url'
import { parse, stringify } from 'yaml'
import type { ConfigFile } from '../../src/config/schema.ts'
import { writeLeaf } from '../sandbox/certificates.ts'
import { type GuardedProcess, spawnGuarded } from '../sandbox/guarded-process.ts'
import { freePort } from '../sandbox/ports.ts'
import { type Sandbox, startSandbox } from '../sandbox/sandbox.ts'
import { waitUntil } from '../wait-until.ts'

export const composeDaemons = ['sallyport-a', 'sallyport-b'] as const
export type ComposeDaemon = (typeof composeDaemons)[number]

interface Service {
  readonly environment: Readonly<Record<string, string>>
  readonly secrets?: readonly string[]
  readonly volumes: readonly string[]
}

interface ComposeFile {
  readonly services: Readonly<Record<'store' | 'balancer' | ComposeDaemon, Service>>
  readonly secrets: Readonly<Record<string, { readonly file: string }>>
}

const root = fileURLToPath(new URL('../..', import.meta.url))
const folder = path.join(root, 'deploy/compose')
const read = (file: string) => readFileSync(path.join(folder, file), 'utf8')
export const composeFile = parse(read('compose.yaml'), { merge: true }) as ComposeFile
const dockerfile = readFileSync(path.join(root, 'Dockerfile'), 'utf8')

/** Folders that the image makes for its user. A volume that is mounted elsewhere belongs to root, and the daemon cannot write there. */
export const foldersOfImage: readonly string[] =
  /^RUN install --directory --owner=node .*$/m.exec(dockerfile)?.[0].match(/\/\S+/g) ?? []

/** What `docker compose up` would start, as processes of this machine. */
export interface Composed {
  readonly sandbox: Sandbox
  /** Of the balancer. */
  readonly url: string
  readonly postgresPort: number
  readonly daemons: Readonly<Record<ComposeDaemon, GuardedProcess>>
  readonly logs: Readonly<Record<ComposeDaemon, () => string>>
  metricsOf(name: ComposeDaemon): Promise<string>
  close(): Promise<void>
}

/** From then on this process trusts the authority of the sandbox. */
export async function startComposed(): Promise<Composed> {
  const closing = new AsyncDisposableStack()
  try {
    return await composedIn(closing)
  } catch (error) {
    await closing.disposeAsync()
    throw error
  }
}

async function composedIn(closing: AsyncDisposableStack): Promise<Composed> {
  const sandbox = await startSandbox({ stores: false, postgres: { tcp: {} } })
  closing.defer(() => sandbox.close())
  setDefaultCACertificates([...getCACertificates(), sandbox.authority.cert])
  process.env.NODE_EXTRA_CA_CERTS = sandbox.caFile // of the commands that a test starts
  const at = (...names: string[]) => path.join(sandbox.dir, ...names)
  const [http, database] = [await freePort(), await freePort()]
  const url = `https://localhost:${http}`
  sandbox.oidc.allow({ redirectUri: `${url}/callback/oidc` })
  mkdirSync(at('tls'))
  writeLeaf(at('tls'), 'server', sandbox.authority.issue(['localhost'])) // for the balancer's name alone, as people have it
  writeFileSync(at('store-password'), 'of the store\n')
  await makeStore(sandbox, 'of the store')

  const company = await sandbox.writeConfig(at('company'))
  const { oidc, aws, resources, levels, access } = parse(readFileSync(company.configFile, 'utf8')) as ConfigFile
  const own = async () => ({ '8443': await freePort(), '5432': await freePort(), '9464': await freePort() })
  const ports: Record<ComposeDaemon, Ports> = { 'sallyport-a': await own(), 'sallyport-b': await own() }
  /** Names and addresses of containers. */
  const places = new Map([
    ['access.example.com', `localhost:${http}`],
    ['@store:5432', `@127.0.0.1:${sandbox.postgres.tcpPort}`],
    [composeFile.services.balancer.environment.SOURCE ?? '', source],
    ...composeDaemons.flatMap((name) =>
      Object.entries(ports[name]).map(([inside, port]): [string, string] => [`${name}:${inside}`, `127.0.0.1:${port}`]),
    ),
  ])

  const startOne = async (name: ComposeDaemon): Promise<GuardedProcess> => {
    const { volumes, secrets = [], environment } = composeFile.services[name]
    const inside = new Map(places)
    for (const [port, here] of Object.entries(ports[name])) inside.set(`0.0.0.0:${port}`, `127.0.0.1:${here}`)
    for (const secret of secrets) inside.set(`/run/secrets/${secret}`, at(composeFile.secrets[secret]?.file ?? ''))
    for (const volume of volumes) {
      const [from = '', to = ''] = volume.split(':')
      const isOwn = from === './sallyport.yaml'
      inside.set(to, isOwn ? at(`${name}.yaml`) : at(from))
      if (!from.startsWith('./')) mkdirSync(at(from), { recursive: true, mode: 0o700 })
    }
    const example = parse(placed(read('sallyport.yaml'), inside)) as ConfigFile
    const { issuer, client_id } = oidc
    const config = { ...example, oidc: { ...example.oidc, issuer, client_id }, aws, resources, levels, access }
    writeFileSync(at(`${name}.yaml`), stringify(config))
    const [command = '', ...args] = commandOfImage().map((word) => placed(word, inside))
    return await spawnGuarded({
      command,
      args,
      stopSignal: 'TERM',
      cwd: sandbox.dir,
      env: { ...company.env, ...environmentOf(environment, inside, company.env), NODE_EXTRA_CA_CERTS: sandbox.caFile },
    })
  }

  // Both at once: they find an empty store and no keys, as with the first `up`.
  const [a, b] = await Promise.all(composeDaemons.map(startOne))
  if (!a || !b) throw new Error('two were asked for')
  const daemons = { 'sallyport-a': a, 'sallyport-b': b }
  closing.defer(async () => {
    await Promise.all([a.stop(), b.stop()])
  })
  const logs = { 'sallyport-a': collect(a), 'sallyport-b': collect(b) }
  places.set(':443', `127.0.0.1:${http}`).set(':5432', `127.0.0.1:${database}`)
  const balancer = await spawnGuarded({
    command: 'haproxy',
    args: ['-db', '-f', path.join(folder, 'haproxy.cfg')],
    stopSignal: 'TERM',
    env: { PATH: process.env.PATH, ...environmentOf(composeFile.services.balancer.environment, places, {}) },
  })
  closing.defer(async () => void (await balancer.stop()))
  const said = collect(balancer)
  const isReady = (port: number) =>
    fetch(`https://localhost:${port}/readyz`).then(
      ({ ok }) => ok,
      () => false,
    )
  const all = [http, ...composeDaemons.map((name) => ports[name]['8443'])]
  let ended = ''
  for (const name of composeDaemons)
    void daemons[name].exited.then((code) => {
      ended = `${name} ended with ${code}: ${logs[name]()}`
    })
  const isUp = async () => {
    if (ended !== '') throw new Error(ended)
    return (await Promise.all(all.map(isReady))).every((is) => is)
  }
  await waitUntil(isUp, () => `they are ready: ${logs['sallyport-a']()}${logs['sallyport-b']()}${said()}`, 40_000, 50)
  const metricsOf = async (name: ComposeDaemon) =>
    await (await fetch(`http://127.0.0.1:${ports[name]['9464']}/metrics`)).text()
  return { sandbox, url, postgresPort: database, daemons, logs, metricsOf, close: () => closing.disposeAsync() }
}

type Ports = Readonly<Record<'8443' | '5432' | '9464', number>>

/** Another address of this machine, from which only the balancer comes. */
const source = '127.0.0.2'

/** What replaces the names of containers and the paths in them; the longest first. */
function placed(text: string, places: ReadonlyMap<string, string>): string {
  const names = [...places.keys()].sort((a, b) => b.length - a.length).map((name) => name.replaceAll('.', '\\.'))
  return text.replaceAll(new RegExp(names.join('|'), 'g'), (name) => places.get(name) ?? name)
}

function environmentOf(
  environment: Service['environment'],
  places: ReadonlyMap<string, string>,
  outside: NodeJS.ProcessEnv,
): NodeJS.ProcessEnv {
  const filled = (text: string) => text.replaceAll(/\$\{(\w+):\?[^}]*\}/g, (_, name: string) => outside[name] ?? '')
  return Object.fromEntries(Object.entries(environment).map(([name, text]) => [name, placed(filled(text), places)]))
}

/** That of the image, with `src/main.ts` for what is built of it. */
function commandOfImage(): string[] {
  const words = (name: string) =>
    JSON.parse(new RegExp(`^${name} (\\[.*\\])$`, 'm').exec(dockerfile)?.[1] ?? '[]') as string[]
  const [node, main, ...more] = [...words('ENTRYPOINT'), ...words('CMD')]
  if (node !== 'node' || !main?.endsWith('/src/main.js')) throw new Error(`the image runs ${node} ${main}`)
  return [process.execPath, path.join(root, 'src/main.ts'), ...more]
}

/** As the image of PostgreSQL does with its environment: by TCP nobody comes in without the password. */
async function makeStore({ postgres }: Sandbox, password: string): Promise<void> {
  const { POSTGRES_USER: user, POSTGRES_DB: name } = composeFile.services.store.environment
  await postgres.query('postgres', `create role ${user} login superuser password '${password}'`)
  await postgres.query('postgres', `create database ${name} owner ${user}`)
  const rules = 'local all all trust\nhost all all all scram-sha-256\n'
  writeFileSync(path.join(postgres.socketDir, 'data/pg_hba.conf'), rules)
  await postgres.query('postgres', 'select pg_reload_conf()')
}

function collect({ stdout, stderr }: GuardedProcess): () => string {
  let text = ''
  for (const stream of [stdout, stderr])
    stream.on('data', (chunk: Buffer) => {
      text = (text + chunk.toString()).slice(-1_000_000)
    })
  return () => text
}
