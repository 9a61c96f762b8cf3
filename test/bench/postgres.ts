/**
 * The PostgreSQL engine beside its peers, in one interleaved run on one machine: direct, PgBouncer in session mode (where
 * installed), a bare Node relay, the broker with every statement recorded, and the broker of another checkout if so told. All
 * with TLS on both legs.
 */
import { spawnSync } from 'node:child_process'
import path from 'node:path'
import { createAuthority } from '../sandbox/certificates.ts'
import { type RunningDaemon, startDaemon } from '../sandbox/daemon.ts'
import { instances } from '../sandbox/default-world.ts'
import { createPerson } from '../sandbox/person.ts'
import { type Postgres, startPostgres } from '../sandbox/postgres.ts'
import { isInstalled } from '../sandbox/programs.ts'
import { type Sandbox, startSandbox } from '../sandbox/sandbox.ts'
import { hasCpuClock } from './cpu.ts'
import { measuredDatabases } from './measured-databases.ts'
import { commitOf, startBareRelay, startPgBouncerPeer, writeShared } from './peers.ts'
import {
  connects,
  copyOut,
  cpuPerSession,
  cpuPerTransaction,
  type Mode,
  run as runProgram,
  selects,
  type Target,
} from './pgbench.ts'
import { figure, measureRound } from './rounds.ts'
import { type BenchOptions, type Better, gate, median, medianRatio, type Row } from './rows.ts'

interface Case {
  readonly name: string
  readonly unit: string
  readonly better: Better
  /** The ratio to one of the peers that the design allows. */
  readonly budget?: { readonly peer: string; readonly ratio: number }
  /** Measures the proxy's process: not for PostgreSQL itself, and for Linux only. */
  readonly ofProcess?: boolean
  /** Before the first round; the figure doesn't count. */
  warmUp?(target: Target): Promise<number>
  measure(target: Target): Promise<number>
}

const bareRelay = 'bare Node relay'

const endpoint = instances.orders.endpoint

export async function run(options: BenchOptions): Promise<Row[]> {
  if (spawnSync('pgbench', ['--version']).status !== 0)
    throw new Error('pgbench is not installed: apt-get install postgresql-contrib')
  const cases = chooseCases(options)
  if (cases.length === 0) return []
  const closing = new AsyncDisposableStack()
  try {
    options.note('starting PostgreSQL, the broker and its peers')
    return await measure(cases, await startAll(closing, options), options)
  } finally {
    await closing.disposeAsync()
  }
}

async function startAll(closing: AsyncDisposableStack, { against }: BenchOptions): Promise<Target[]> {
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
  const broker = async (target: string, main?: string, strict: object = {}) => {
    const daemon = await startBroker(sandbox, upstreamPort, ca, strict, main)
    closing.defer(async () => void (await daemon.stop()))
    return libpq(target, { pid: daemon.pid, port: daemon.postgresPort }, ...(await connectToken(daemon)))
  }
  const relay = await startBareRelay(peer)
  closing.defer(async () => void (await relay.stop()))
  const targets = [
    libpq('direct', { port: upstreamPort }, 'sallyport_ro'),
    libpq(bareRelay, relay, 'sallyport_ro'),
    await broker('broker'),
    await broker('broker, recording: strict', undefined, { recording: 'strict' }),
  ]
  if (against !== undefined)
    targets.push(await broker(`broker at ${commitOf(against)}`, path.resolve(against, 'src/main.ts')))
  if (!isInstalled('pgbouncer')) return targets
  const bouncer = await startPgBouncerPeer(peer)
  closing.defer(async () => void (await bouncer.stop()))
  return [...targets, libpq('PgBouncer', bouncer, 'sallyport_ro')]
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
  strict: object,
  main?: string,
): Promise<RunningDaemon> {
  return startDaemon(sandbox, {
    ...(main === undefined ? {} : { main }),
    overrides: {
      ...measuredDatabases({ names: ['orders'], port: upstreamPort, ca, level: strict }),
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

function chooseCases({ seconds, only = '', warn }: BenchOptions): Case[] {
  const all = [...casesFor(seconds), ...cpuCasesFor(seconds)]
  const chosen = all.filter((one) => one.name.includes(only))
  if (chosen.length === 0)
    throw new Error(`no case has "${only}" in its name: ${all.map((one) => one.name).join('; ')}`)
  if (hasCpuClock()) return chosen
  const possible = chosen.filter((one) => !one.ofProcess)
  if (possible.length < chosen.length) warn('CPU is not measured: this system has no /proc/PID/task/*/schedstat')
  return possible
}

function casesFor(seconds: number): Case[] {
  const budgets = new Map([
    [8, 0.7],
    [32, 0.62],
  ])
  const least = (ratio: number | undefined) => (ratio === undefined ? {} : { budget: { peer: 'PgBouncer', ratio } })
  return [
    ...[1, 8, 32].map((clients) => ({
      name: `pgbench -S, ${clients} client${clients === 1 ? '' : 's'}`,
      unit: 'tps',
      better: 'more' as const,
      ...least(budgets.get(clients)),
      measure: (target: Target) => selects(target, clients, seconds),
    })),
    { name: 'connect and SELECT', unit: 'per s', better: 'more', measure: (target) => connects(target, 4, seconds) },
    {
      name: 'COPY out, 256 MB',
      unit: 'MB/s',
      better: 'more',
      ...least(0.9),
      measure: (target) => copyOut(target, 256),
    },
  ]
}

/** Of the process between client and PostgreSQL, so that *direct* has no part in them. */
function cpuCasesFor(seconds: number): Case[] {
  const most = (ratio: number) => ({ better: 'less' as const, budget: { peer: bareRelay, ratio }, ofProcess: true })
  const perTransaction = (mode: Mode, ratio: number): Case => ({
    name: `CPU per transaction, 8 clients, ${mode}`,
    unit: 'µs',
    ...most(ratio),
    warmUp: (target) => cpuPerTransaction(target, mode, 8, 1),
    measure: (target) => cpuPerTransaction(target, mode, 8, seconds),
  })
  return [
    perTransaction('simple', 1.4),
    perTransaction('prepared', 1.5),
    {
      name: 'CPU per new session',
      unit: 'ms',
      ...most(2.5),
      warmUp: (target) => cpuPerSession(target, 8, 25),
      measure: (target) => cpuPerSession(target, 8, 6),
    },
  ]
}

async function measure(cases: readonly Case[], targets: readonly Target[], options: BenchOptions): Promise<Row[]> {
  const { rounds } = options
  const rows: Row[] = []
  for (const one of cases) {
    const taking = targets.filter(({ pid }) => !one.ofProcess || pid !== undefined)
    for (const target of one.warmUp ? taking : [])
      await figure(`${one.name}: warm-up, ${target.name}`, async () => one.warmUp?.(target), options)
    const results = new Map(taking.map((target) => [target.name, [] as number[]]))
    for (let round = 0; round < rounds; round += 1) {
      const order = round % 2 === 0 ? taking : taking.toReversed()
      const figures = await measureRound(one, order, `${one.name}: round ${round + 1} of ${rounds}`, options)
      for (const [target, value] of figures) results.get(target)?.push(value)
    }
    rows.push(...rowsOf(one, results))
  }
  return rows
}

function rowsOf({ name, unit, better, budget }: Case, results: ReadonlyMap<string, readonly number[]>): Row[] {
  const broker = results.get('broker') ?? []
  return [...results].map(([target, values]) => {
    const row = { bench: 'postgres', case: `${name}: ${target}`, unit, value: median(values), better }
    if (target === 'broker') return row
    const ratio = medianRatio(broker, values)
    return { ...row, peer: target, ratio, ...(target === budget?.peer ? gate(ratio, budget.ratio, better) : {}) }
  })
}
