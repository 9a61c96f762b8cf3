/**
 * The broker and its peers, all with TLS on both legs: direct, the proxy that the trade uses (where installed), a bare Node relay, the
 * broker with every statement recorded, and the broker of another checkout if so told.
 */
import path from 'node:path'
import { type Authority, createAuthority } from '../sandbox/certificates.ts'
import { type RunningDaemon, startDaemon } from '../sandbox/daemon.ts'
import { createPerson } from '../sandbox/person.ts'
import { isInstalled } from '../sandbox/programs.ts'
import type { ConfigOverrides, Sandbox } from '../sandbox/sandbox.ts'
import { durable, startStoreDatabases } from '../sandbox/store-databases.ts'
import { commitOf, type Peer, type PeerOptions, startBareRelay, writeShared } from './peers.ts'
import type { Target } from './rounds.ts'
import type { BenchOptions } from './rows.ts'

export const bareRelay = 'bare Node relay'

export interface BrokerVariant {
  readonly name: string
  /** More of what the level means. */
  readonly level?: object
  /** Its store is in a PostgreSQL of its own, on the same disk. */
  readonly isStoreShared?: boolean
  /** `src/main.ts` of another checkout. */
  readonly main?: string
}

/** How to sign in; absent: as the database's own user. */
export interface Login {
  readonly user: string
  readonly password: string
}

/** What one kind of database brings to its benchmark. */
export interface Engine<T extends Target> {
  readonly protocol: 'postgres' | 'mysql'
  /** Name in the database's certificate. */
  readonly endpoint: string
  /** The short name of the resource. */
  readonly resource: string
  /** A program of its load, and the package that has it. */
  readonly needs: { readonly program: string; readonly install: string }
  /** A real server, filled, and the rest of what a broker needs. @param ca file of the authority */
  start(closing: AsyncDisposableStack, authority: Authority, ca: string): Promise<RunningServer<T>>
  configuration(port: number, ca: string, level: object | undefined): ConfigOverrides
  portOf(daemon: RunningDaemon): number
  /** A proxy of another maker; undefined where it is not installed. */
  peer(options: PeerOptions): Promise<(Peer & { readonly name: string }) | undefined>
}

export interface RunningServer<T extends Target> {
  readonly port: number
  readonly sandbox: Sandbox
  /** Of the server itself, or of what stands in front of it. @param ca file */
  target(name: string, at: { readonly port: number; readonly pid?: number }, ca: string, login?: Login): T
}

/** @param variants what is measured beside the broker as it comes */
export async function startTargets<T extends Target>(
  closing: AsyncDisposableStack,
  engine: Engine<T>,
  variants: readonly BrokerVariant[],
  { against, note }: Pick<BenchOptions, 'against' | 'note'>,
): Promise<T[]> {
  const { program, install } = engine.needs
  if (!isInstalled(program)) throw new Error(`${program} is not installed: apt-get install ${install}`)
  note(`starting the database, the broker and its peers: ${engine.protocol}`)
  const authority = createAuthority()
  const leaf = authority.issue(['localhost', '127.0.0.1'])
  const { cert = '', key = '', ca = '' } = writeShared('bench', { cert: leaf.cert, key: leaf.key, ca: authority.cert })
  const { port, sandbox, target } = await engine.start(closing, authority, ca)
  const peer = {
    protocol: engine.protocol,
    upstreamPort: port,
    upstreamName: engine.endpoint,
    files: { cert, key, ca },
  }
  const stopLater = (one: Peer) => closing.defer(async () => void (await one.stop()))
  const broker = async (variant: BrokerVariant) => {
    const overrides = {
      ...(await storeOf(closing, variant)),
      ...engine.configuration(port, ca, variant.level),
      recordings: { reserve: '50MB', max_per_session: '20GB', max_per_principal: '200GB' },
      limits: { sessions_per_principal: 500, sessions_per_resource: 500 },
    }
    const daemon = await startDaemon(sandbox, { ...(variant.main ? { main: variant.main } : {}), overrides })
    closing.defer(async () => void (await daemon.stop()))
    const at = { pid: daemon.pid, port: engine.portOf(daemon) }
    return target(variant.name, at, sandbox.caFile, await connectToken(daemon, engine.resource))
  }
  const relay = await startBareRelay(peer)
  stopLater(relay)
  const targets = [target('direct', { port }, ca), target(bareRelay, relay, ca)]
  const others = against === undefined ? [] : [beside(against)]
  for (const variant of [{ name: 'broker' }, ...variants, ...others]) targets.push(await broker(variant))
  const other = await engine.peer(peer)
  if (!other) return targets
  stopLater(other)
  return [...targets, target(other.name, other, ca)]
}

function beside(dir: string): BrokerVariant {
  return { name: `broker at ${commitOf(dir)}`, main: path.resolve(dir, 'src/main.ts') }
}

async function storeOf(closing: AsyncDisposableStack, { isStoreShared }: BrokerVariant): Promise<ConfigOverrides> {
  if (!isStoreShared) return {}
  const databases = await startStoreDatabases(durable)
  closing.defer(() => databases.close())
  return { store: { url: await databases.create() } }
}

/** @returns how to sign in at the broker's own port */
async function connectToken(daemon: RunningDaemon, resource: string): Promise<Login> {
  const alice = createPerson('alice')
  await alice.signIn(`${daemon.url}/login`)
  const post = async (path: string, body: unknown): Promise<Record<string, unknown>> => {
    const headers = { origin: daemon.url, 'content-type': 'application/json' }
    const response = await alice.fetch(`${daemon.url}${path}`, { method: 'POST', headers, body: JSON.stringify(body) })
    if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`)
    return (await response.json()) as Record<string, unknown>
  }
  await post('/api/v1/requests', { resource, level: 'readonly', durationMs: 3_600_000 })
  const issued = await post('/api/v1/connect-tokens', { resource })
  return { user: `t_${issued.id}`, password: String(issued.token) }
}
