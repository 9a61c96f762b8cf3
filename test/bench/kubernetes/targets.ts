/** An API server that is played, a relay that does not look at what it passes, and the daemon; TLS on all legs. */
import { once } from 'node:events'
import { readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { createSecureContext, getCACertificates, setDefaultCACertificates } from 'node:tls'
import { fileURLToPath } from 'node:url'
import { parse, stringify } from 'yaml'
import { writeLeaf } from '../../sandbox/certificates.ts'
import { type RunningDaemon, startDaemon } from '../../sandbox/daemon.ts'
import { clusterId } from '../../sandbox/daemon-files.ts'
import { accounts } from '../../sandbox/default-world.ts'
import { spawnGuarded } from '../../sandbox/guarded-process.ts'
import { webCluster } from '../../sandbox/kubernetes/web-cluster.ts'
import { createPerson } from '../../sandbox/person.ts'
import { freePort } from '../../sandbox/ports.ts'
import { type Sandbox, startSandbox } from '../../sandbox/sandbox.ts'
import { commitOf, startBareRelay } from '../peers.ts'
import { inspectable } from '../ssm/collected-memory.ts'
import { bareRelay } from '../targets.ts'
import type { ApiTarget } from './load.ts'

export interface MeasuredTarget extends ApiTarget {
  /** Port of the inspector of its process, when that is asked for; 0: it has none. */
  readonly inspector: number
  /** As another session would, where there are any. */
  another(): Promise<ApiTarget>
}

/** @param against another checkout, whose broker is measured too */
export async function startTargets(closing: AsyncDisposableStack, against?: string): Promise<MeasuredTarget[]> {
  const sandbox = await startSandbox({ cluster: true })
  closing.defer(() => sandbox.close())
  const { authority } = sandbox
  setDefaultCACertificates([...getCACertificates('default'), authority.cert])
  const upstream = await startApi(sandbox, closing)
  const secureContext = createSecureContext({ ca: authority.cert })
  const target = (name: string, port: number, pid?: number, inspector = 0): MeasuredTarget => {
    const one = { name, port, serverName: webCluster.endpoint, secureContext, prefix: '', token: 'x', inspector }
    return { ...one, ...(pid === undefined ? {} : { pid }), another: async () => one }
  }
  const files = { ...writeLeaf(sandbox.dir, 'relay', authority.issue([webCluster.endpoint])), ca: sandbox.caFile }
  const inspector = await freePort()
  const peer = { protocol: 'tls', upstreamPort: upstream, upstreamName: webCluster.endpoint, files } as const
  const relay = await startBareRelay(peer, inspectable(inspector))
  closing.defer(async () => void (await relay.stop()))
  const targets = [target('direct', upstream), target(bareRelay, relay.port, relay.pid, inspector)]
  targets.push(await startBroker(sandbox, closing, { name: 'broker', upstream }))
  if (against !== undefined) {
    const name = `broker at ${commitOf(against)}`
    targets.push(await startBroker(sandbox, closing, { name, upstream, main: path.resolve(against, 'src/main.ts') }))
  }
  return targets
}

async function startApi({ authority, dir }: Sandbox, closing: AsyncDisposableStack): Promise<number> {
  const { cert, key } = writeLeaf(dir, 'api', authority.issue([webCluster.endpoint]))
  const port = await freePort()
  const program = fileURLToPath(new URL('api-server.ts', import.meta.url))
  const args = [program, `${port}`, cert, key]
  const child = await spawnGuarded({ command: process.execPath, args, stopSignal: 'TERM' })
  closing.defer(async () => void (await child.stop()))
  await once(child.stdout, 'data')
  return port
}

interface Broker {
  readonly name: string
  /** Port of the API server. */
  readonly upstream: number
  readonly main?: string
}

async function startBroker(
  sandbox: Sandbox,
  closing: AsyncDisposableStack,
  { name, upstream, main }: Broker,
): Promise<MeasuredTarget> {
  const files = await sandbox.writeConfig(
    path.join(sandbox.dir, name.replace(/\W/g, '-')),
    configuration(sandbox, upstream),
  )
  const url = files.url.replace('http:', 'https:')
  const config = parse(readFileSync(files.configFile, 'utf8')) as { server: object }
  const tls = writeLeaf(sandbox.dir, 'daemon', sandbox.authority.issue(['127.0.0.1', 'localhost']))
  writeFileSync(files.configFile, stringify({ ...config, server: { ...config.server, tls, public_url: url } }))
  sandbox.oidc.allow({ redirectUri: `${url}/callback/oidc` })
  const inspector = await freePort()
  const env = { NODE_EXTRA_CA_CERTS: sandbox.caFile, ...inspectable(inspector) }
  const daemon = await startDaemon(sandbox, { files: { ...files, url }, env, ...(main ? { main } : {}) })
  closing.defer(async () => void (await daemon.stop()))
  const issue = await issuer(daemon)
  const common = {
    name,
    pid: daemon.pid,
    port: Number(new URL(url).port),
    serverName: 'localhost',
    secureContext: createSecureContext({ ca: sandbox.authority.cert }),
    prefix: `/k8s/${clusterId.replace('eks-cluster/', '')}`,
    inspector,
  }
  const another = async (): Promise<ApiTarget> => ({ ...common, token: await issue() })
  return { ...common, token: await issue(), another }
}

function configuration({ caFile }: Sandbox, port: number) {
  const rules = [{ verbs: ['get', 'list', 'watch', 'exec'], resources: ['pods'] }]
  return {
    resources: [{ id: clusterId, endpoint: webCluster.endpoint, connect_address: `127.0.0.1:${port}`, ca: caFile }],
    levels: [{ for: { kinds: ['eks-cluster'] }, readonly: { role: 'sallyport/{cluster}-view', rules } }],
    access: [
      {
        name: 'engineers-measure',
        who: { groups: ['engineering'] },
        what: { accounts: [accounts.data] },
        levels: ['readonly'],
        max_duration: '8h',
      },
    ],
    recordings: { reserve: '50MB', max_per_session: '20GB', max_per_principal: '200GB' },
    limits: { sessions_per_principal: 500, sessions_per_resource: 500 },
  }
}

/** @returns issues connect tokens of alice's for the cluster, who has a grant */
async function issuer(daemon: RunningDaemon): Promise<() => Promise<string>> {
  const alice = createPerson('alice')
  await alice.signIn(`${daemon.url}/login`)
  const headers = { origin: daemon.url, 'content-type': 'application/json' }
  const post = async (path: string, body: object): Promise<Record<string, unknown>> => {
    const response = await alice.fetch(`${daemon.url}${path}`, { method: 'POST', headers, body: JSON.stringify(body) })
    if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`)
    return (await response.json()) as Record<string, unknown>
  }
  await post('/api/v1/requests', { resource: clusterId, level: 'readonly', durationMs: 8 * 3_600_000 })
  return async () =>
    String((await post('/api/v1/connect-tokens', { resource: clusterId, durationMs: 3_600_000 })).token)
}
