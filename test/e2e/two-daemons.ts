import { readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { type DaemonOptions, type RunningDaemon, startDaemon } from '../sandbox/daemon.ts'
import type { DaemonFiles } from '../sandbox/daemon-files.ts'
import { type AccountName, accountNames } from '../sandbox/oidc/accounts.ts'
import { type ConfigOverrides, type Sandbox, type SandboxOptions, startSandbox } from '../sandbox/sandbox.ts'
import { type Balancer, startBalancer } from './balancer.ts'
import { type Door, doorOf, newPeople } from './company.ts'

export const daemonNames = ['a', 'b'] as const
export type DaemonName = (typeof daemonNames)[number]

/**
 * Two daemons on one PostgreSQL store, with one folder of keys and one address behind a balancer; each has its own `state.dir` and
 * recordings. The four people are signed in, and can go to either daemon past the balancer.
 */
export interface TwoDaemons {
  readonly sandbox: Sandbox
  readonly balancer: Balancer<DaemonName>
  /** Of the balancer, for clients of databases. */
  readonly postgresPort: number
  readonly mysqlPort: number
  /** The same people at each daemon itself, and at the balancer. */
  readonly at: Readonly<Record<DaemonName | 'balancer', Door>>
  /** What runs, or ran last. */
  readonly daemons: Record<DaemonName, RunningDaemon>
  /** Starts one again, with the configuration that it had. */
  start(name: DaemonName, options?: DaemonOptions): Promise<RunningDaemon>
  /** Signs people in through the balancer; their login is good everywhere. */
  signIn(people?: readonly AccountName[]): Promise<void>
  close(): Promise<void>
}

export interface TwoDaemonsOptions {
  readonly sandbox?: SandboxOptions
  readonly overrides?: ConfigOverrides
  /** Who signs in; everyone by default. */
  readonly people?: readonly AccountName[]
  /** Where the balancer sends new connections once people are signed in; to both by default. */
  readonly to?: readonly DaemonName[]
  /** By which address each reaches the store; by default its own. */
  readonly storeOf?: (name: DaemonName, url: string) => string | Promise<string>
}

export async function startTwoDaemons(options: TwoDaemonsOptions = {}): Promise<TwoDaemons> {
  const closing = new AsyncDisposableStack()
  try {
    const sandbox = await startSandbox({ ...options.sandbox, stores: true })
    closing.defer(() => sandbox.close())
    return await twoDaemonsIn(sandbox, options, closing)
  } catch (error) {
    await closing.disposeAsync()
    throw error
  }
}

async function twoDaemonsIn(
  sandbox: Sandbox,
  { overrides = {}, people = accountNames, to = daemonNames, storeOf }: TwoDaemonsOptions,
  closing: AsyncDisposableStack,
): Promise<TwoDaemons> {
  const balancer = await startBalancer<DaemonName>(3, (name, index) => portsOf(files[name])[index] ?? 0)
  closing.defer(() => balancer.close())
  const [httpPort = 0, postgresPort = 0, mysqlPort = 0] = balancer.ports
  const publicUrl = `http://127.0.0.1:${httpPort}`
  sandbox.oidc.allow({ redirectUri: `${publicUrl}/callback/oidc` })
  const files = await filesOf(sandbox, publicUrl, overrides, storeOf)
  const daemons = {} as Record<DaemonName, RunningDaemon>
  const start: TwoDaemons['start'] = async (name, more = {}) => {
    daemons[name] = await startDaemon(sandbox, { files: files[name], readyWithinMs: 60_000, ...more })
    return daemons[name]
  }
  closing.defer(async () => {
    await Promise.all(Object.values(daemons).map((daemon) => daemon.stop()))
  })
  await start('a')
  await start('b')
  const browsers = newPeople()
  const door = (url: string) => doorOf(sandbox, { url, publicUrl, dir: sandbox.dir, people: browsers })
  const at = { a: door(files.a.url), b: door(files.b.url), balancer: door(publicUrl) }
  const signIn: TwoDaemons['signIn'] = async (names = accountNames) => {
    await at.balancer.signIn(names)
    for (const name of names) knowAlso(at.balancer.commands[name].env, publicUrl, [files.a.url, files.b.url])
  }
  balancer.to('a')
  await signIn(people)
  balancer.to(...to)
  return { sandbox, balancer, postgresPort, mysqlPort, at, daemons, start, signIn, close: () => closing.disposeAsync() }
}

const portsOf = ({ url, postgresPort, mysqlPort }: DaemonFiles): readonly number[] => [
  Number(new URL(url).port),
  postgresPort,
  mysqlPort,
]

/** Two configurations that differ in what is each daemon's own. */
async function filesOf(
  sandbox: Sandbox,
  publicUrl: string,
  { server, store, ...overrides }: ConfigOverrides,
  storeOf: TwoDaemonsOptions['storeOf'] = (_, url) => url,
): Promise<Record<DaemonName, DaemonFiles>> {
  const keysDir = path.join(sandbox.dir, 'keys')
  const storeUrl = store?.url ?? (await sandbox.stores?.create()) ?? ''
  const write = async (name: DaemonName): Promise<DaemonFiles> => {
    const dir = path.join(sandbox.dir, `daemon-${name}`)
    const shared = {
      server: { ...server, public_url: publicUrl },
      store: { ...store, url: await storeOf(name, storeUrl) },
      keys: { dir: keysDir },
    }
    return await sandbox.writeConfig(dir, { ...shared, ...overrides })
  }
  return { a: await write('a'), b: await write('b') }
}

/** The command line knows a login by the server's address; here several lead to the same. */
function knowAlso(env: NodeJS.ProcessEnv, publicUrl: string, urls: readonly string[]): void {
  const file = path.join(env.SALLYPORT_HOME ?? '', 'login.json')
  const kept = JSON.parse(readFileSync(file, 'utf8')) as { servers: Record<string, unknown> }
  for (const url of urls) kept.servers[url] = kept.servers[publicUrl]
  writeFileSync(file, JSON.stringify(kept))
}
