/**
 * The broker and its peers, all with TLS on both legs: direct, PgBouncer in session mode (where installed), a bare Node relay, the broker
 * with every statement recorded, and the broker of another checkout if so told.
 */
import path from 'node:path'
import { createAuthority } from '../sandbox/certificates.ts'
import { type RunningDaemon, startDaemon } from '../sandbox/daemon.ts'
import { instances } from '../sandbox/default-world.ts'
import { createPerson } from '../sandbox/person.ts'
import { type Postgres, startPostgres } from '../sandbox/postgres.ts'
import { isInstalled } from '../sandbox/programs.ts'
import { type Sandbox, startSandbox } from '../sandbox/sandbox.ts'
import { durable, startStoreDatabases } from '../sandbox/store-databases.ts'
import { measuredDatabases } from './measured-databases.ts'
import { commitOf, startBareRelay, startPgBouncerPeer, writeShared } from './peers.ts'
import { run as runProgram, type Target } from './pgbench.ts'

export const bareRelay = 'bare Node relay'

const endpoint = instances.orders.endpoint

export interface BrokerVariant {
  readonly name: string
  /** More of what the level means. */
  readonly level?: object
  /** Its store is in a PostgreSQL of its own, on the same disk. */
  readonly isStoreShared?: boolean
  /** `src/main.ts` of another checkout. */
  readonly main?: string
}

/** @param variants what is measured beside the broker as it comes */
export async function startTargets(
  closing: AsyncDisposableStack,
  variants: readonly BrokerVariant[],
  against: string | undefined,
): Promise<Target[]> {
  const authority = createAuthority()
  const postgres = await startPostgres({ tcp: { tls: authority.issue([endpoint]) } })
  closing.defer(() => postgres.close())
  await fill(postgres)
  const upstreamPort = postgres.tcpPort ?? 0
  const leaf = authority.issue(['localhost', '127.0.0.1'])
  const { cert = '', key = '', ca = '' } = writeShared('bench', { cert: leaf.cert, key: leaf.key, ca: authority.cert })
  const peer = { upstreamPort, upstreamName: endpoint, files: { cert, key, ca } }
  const sandbox = await startSandbox()
  closing.defer(() => sandbox.close())
  const broker = async (variant: BrokerVariant) => {
    const daemon = await startBroker(sandbox, upstreamPort, ca, variant, await storeOf(closing, variant))
    closing.defer(async () => void (await daemon.stop()))
    return libpq(variant.name, { pid: daemon.pid, port: daemon.postgresPort }, ...(await connectToken(daemon)))
  }
  const relay = await startBareRelay(peer)
  closing.defer(async () => void (await relay.stop()))
  const targets = [libpq('direct', { port: upstreamPort }, 'sallyport_ro'), libpq(bareRelay, relay, 'sallyport_ro')]
  const others = against === undefined ? [] : [beside(against)]
  for (const variant of [{ name: 'broker' }, ...variants, ...others]) targets.push(await broker(variant))
  if (!isInstalled('pgbouncer')) return targets
  const bouncer = await startPgBouncerPeer(peer)
  closing.defer(async () => void (await bouncer.stop()))
  return [...targets, libpq('PgBouncer', bouncer, 'sallyport_ro')]
}

function beside(dir: string): BrokerVariant {
  return { name: `broker at ${commitOf(dir)}`, main: path.resolve(dir, 'src/main.ts') }
}

async function storeOf(closing: AsyncDisposableStack, { isStoreShared }: BrokerVariant): Promise<object> {
  if (!isStoreShared) return {}
  const databases = await startStoreDatabases(durable)
  closing.defer(() => databases.close())
  return { store: { url: await databases.create() } }
}

async function fill(postgres: Postgres): Promise<void> {
  const env = { ...process.env, PGHOST: postgres.socketDir, PGPORT: `${postgres.tcpPort}`, PGUSER: 'postgres' }
  await runProgram('pgbench', ['-i', '-q', '-s', '10', 'orders'], { env })
  await postgres.query('orders', 'grant select on all tables in schema public to sallyport_ro')
}

function startBroker(
  sandbox: Sandbox,
  upstreamPort: number,
  ca: string,
  { level, main }: BrokerVariant,
  store: object,
): Promise<RunningDaemon> {
  return startDaemon(sandbox, {
    ...(main === undefined ? {} : { main }),
    overrides: {
      ...store,
      ...measuredDatabases({ names: ['orders'], port: upstreamPort, ca, ...(level ? { level } : {}) }),
      recordings: { reserve: '50MB', max_per_session: '20GB', max_per_principal: '200GB' },
      limits: { sessions_per_principal: 500, sessions_per_resource: 500 },
    },
  })
}

/** @returns user and password for the broker's own port */
async function connectToken(daemon: RunningDaemon): Promise<[user: string, password: string]> {
  const alice = createPerson('alice')
  await alice.signIn(`${daemon.url}/login`)
  const post = async (path: string, body: unknown): Promise<Record<string, unknown>> => {
    const headers = { origin: daemon.url, 'content-type': 'application/json' }
    const response = await alice.fetch(`${daemon.url}${path}`, { method: 'POST', headers, body: JSON.stringify(body) })
    if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`)
    return (await response.json()) as Record<string, unknown>
  }
  await post('/api/v1/requests', { resource: 'orders', level: 'readonly', durationMs: 3_600_000 })
  const issued = await post('/api/v1/connect-tokens', { resource: 'orders' })
  return [`t_${issued.id}`, String(issued.token)]
}

function libpq(
  target: string,
  { pid, port }: { readonly pid?: number; readonly port: number },
  user: string,
  password?: string,
): Target {
  const env = Object.fromEntries(Object.entries(process.env).filter(([variable]) => !variable.startsWith('PG')))
  const shared = { PGHOST: '127.0.0.1', PGPORT: `${port}`, PGUSER: user, PGDATABASE: 'orders', PGSSLMODE: 'require' }
  const variables = { ...env, ...shared, ...(password ? { PGPASSWORD: password } : {}) }
  return { name: target, env: variables, ...(pid === undefined ? {} : { pid }) }
}
