/**
 * The PostgreSQL engine beside its peers, in one interleaved run on one machine: direct, PgBouncer in session mode (where
 * installed), a bare Node relay, and the broker with every statement recorded. All with TLS on both legs.
 */
import { spawnSync } from 'node:child_process'
import { createAuthority } from '../sandbox/certificates.ts'
import { type RunningDaemon, startDaemon } from '../sandbox/daemon.ts'
import { resourceId } from '../sandbox/daemon-files.ts'
import { accounts, arns, instances } from '../sandbox/default-world.ts'
import { createPerson } from '../sandbox/person.ts'
import { type Postgres, startPostgres } from '../sandbox/postgres.ts'
import { type Sandbox, startSandbox } from '../sandbox/sandbox.ts'
import { hasPgBouncer, startBareRelay, startPgBouncer, writeShared } from './peers.ts'
import { connects, copyOut, run as runProgram, selects, type Target } from './pgbench.ts'
import { type BenchOptions, median, medianRatio, type Row } from './rows.ts'

interface Case {
  readonly name: string
  readonly unit: string
  /** Least ratio to PgBouncer that the design allows. */
  readonly budget?: number
  measure(target: Target): Promise<number>
}

const name = instances.orders.endpoint

export async function run(options: BenchOptions): Promise<Row[]> {
  if (spawnSync('pgbench', ['--version']).status !== 0)
    throw new Error('pgbench is not installed: apt-get install postgresql-contrib')
  const closing = new AsyncDisposableStack()
  try {
    options.note('starting PostgreSQL, the broker and its peers')
    return await measure(await startAll(closing), options)
  } finally {
    await closing.disposeAsync()
  }
}

async function startAll(closing: AsyncDisposableStack): Promise<Target[]> {
  const authority = createAuthority()
  const postgres = await startPostgres({ tcp: { tls: authority.issue([name]) } })
  closing.defer(() => postgres.close())
  await fill(postgres)
  const upstreamPort = postgres.tcpPort ?? 0
  const leaf = authority.issue(['localhost', '127.0.0.1'])
  const { cert = '', key = '', ca = '' } = writeShared('bench', { cert: leaf.cert, key: leaf.key, ca: authority.cert })
  const peer = { upstreamPort, upstreamName: name, files: { cert, key, ca } }
  const sandbox = await startSandbox()
  closing.defer(() => sandbox.close())
  const daemon = await startBroker(sandbox, upstreamPort, ca)
  closing.defer(async () => void (await daemon.stop()))
  const relay = await startBareRelay(peer)
  closing.defer(async () => void (await relay.stop()))
  const targets = [
    libpq('direct', upstreamPort, 'sallyport_ro'),
    libpq('bare Node relay', relay.port, 'sallyport_ro'),
    libpq('broker', daemon.postgresPort, ...(await connectToken(daemon))),
  ]
  if (!hasPgBouncer()) return targets
  const bouncer = await startPgBouncer(peer)
  closing.defer(async () => void (await bouncer.stop()))
  return [...targets, libpq('PgBouncer', bouncer.port, 'sallyport_ro')]
}

async function fill(postgres: Postgres): Promise<void> {
  const env = { ...process.env, PGHOST: postgres.socketDir, PGPORT: `${postgres.tcpPort}`, PGUSER: 'postgres' }
  await runProgram('pgbench', ['-i', '-q', '-s', '10', 'orders'], { env })
  await postgres.query('orders', 'grant select on all tables in schema public to sallyport_ro')
}

function startBroker(sandbox: Sandbox, upstreamPort: number, ca: string): Promise<RunningDaemon> {
  const resource = {
    id: resourceId('orders'),
    endpoint: name,
    port: 5432,
    connect_address: `127.0.0.1:${upstreamPort}`,
    resource_id: instances.orders.resourceId,
    database: 'orders',
    role: arns.databases,
    ca,
  }
  const meaning: object = { readonly: { db_user: 'sallyport_ro', databases: ['*'] } }
  const level = { for: { kinds: ['rds-postgres'] }, ...meaning }
  return startDaemon(sandbox, {
    overrides: {
      resources: [resource],
      levels: [level],
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

function libpq(target: string, port: number, user: string, password?: string): Target {
  const env = Object.fromEntries(Object.entries(process.env).filter(([variable]) => !variable.startsWith('PG')))
  const shared = { PGHOST: '127.0.0.1', PGPORT: `${port}`, PGUSER: user, PGDATABASE: 'orders', PGSSLMODE: 'require' }
  return { name: target, env: { ...env, ...shared, ...(password ? { PGPASSWORD: password } : {}) } }
}

function casesFor(seconds: number): Case[] {
  const budgets = new Map([
    [8, 0.75],
    [32, 0.7],
  ])
  return [
    ...[1, 8, 32].map((clients) => ({
      name: `pgbench -S, ${clients} client${clients === 1 ? '' : 's'}`,
      unit: 'tps',
      ...(budgets.has(clients) ? { budget: budgets.get(clients) as number } : {}),
      measure: (target: Target) => selects(target, clients, seconds),
    })),
    { name: 'connect and SELECT', unit: 'per s', measure: (target) => connects(target, 4, seconds) },
    { name: 'COPY out, 256 MB', unit: 'MB/s', budget: 0.9, measure: (target) => copyOut(target, 256) },
  ]
}

async function measure(targets: readonly Target[], { rounds, seconds, note }: BenchOptions): Promise<Row[]> {
  const rows: Row[] = []
  for (const one of casesFor(seconds)) {
    const results = new Map(targets.map((target) => [target.name, [] as number[]]))
    for (let round = 0; round < rounds; round += 1) {
      for (const target of round % 2 === 0 ? targets : targets.toReversed()) {
        note(`${one.name}: round ${round + 1} of ${rounds}, ${target.name}`)
        results.get(target.name)?.push(await one.measure(target))
      }
    }
    rows.push(...rowsOf(one, results))
  }
  return rows
}

function rowsOf(one: Case, results: ReadonlyMap<string, readonly number[]>): Row[] {
  const shared = { bench: 'postgres', unit: one.unit }
  const broker = results.get('broker') ?? []
  return [...results].map(([target, values]) => {
    const label = { ...shared, case: `${one.name}: ${target}`, value: median(values) }
    if (target === 'broker') return label
    const ratio = medianRatio(broker, values)
    const gate =
      target === 'PgBouncer' && one.budget !== undefined ? { budget: one.budget, ok: ratio >= one.budget } : {}
    return { ...label, peer: target, ratio, ...gate }
  })
}
