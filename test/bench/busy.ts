/**
 * What a person waits for while sessions keep the daemon busy: how long a revocation takes until the session is closed, a sign-in, and
 * a new session, beside the same with no session open. The target answers at once, so that the broker is what is busy.
 */
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import pg from 'pg'
import { createAuthority } from '../sandbox/certificates.ts'
import { type RunningDaemon, startDaemon } from '../sandbox/daemon.ts'
import { instances } from '../sandbox/default-world.ts'
import { type GuardedProcess, spawnGuarded } from '../sandbox/guarded-process.ts'
import { createPerson, type Person } from '../sandbox/person.ts'
import { freePort } from '../sandbox/ports.ts'
import { type Sandbox, startSandbox } from '../sandbox/sandbox.ts'
import { measuredDatabases } from './measured-databases.ts'
import { writeShared } from './peers.ts'
import { type BenchOptions, median, type Row } from './rows.ts'

const bench = 'busy'
/** Seconds that a person may wait. */
const mostSeconds = { 'decision until the cut': 3, 'sign-in': 5 } as const
const alarm = 'the store cannot be reached'
const names = ['orders', 'billing'] as const

export async function run({ rounds, sessions = 500, note }: BenchOptions): Promise<Row[]> {
  await using closing = new AsyncDisposableStack()
  note('starting the broker and its target')
  const sandbox = await startSandbox()
  closing.defer(() => sandbox.close())
  const daemon = await startBroker(sandbox, closing)
  const [alice, bob, dave] = [createPerson('alice'), createPerson('bob'), createPerson('dave')]
  for (const person of [alice, bob, dave]) await person.signIn(`${daemon.url}/login`)
  const house = { daemon, alice, admin: dave, ca: sandbox.authority.cert }
  const idle = await rest(house, rounds, (round) => note(`with no session, ${round} of ${rounds}`))
  note(`opening ${2 * sessions} sessions`)
  const clients = await startClients(daemon, sessions, await connectToken(house, 'billing'), closing)
  const before = clients.answered()
  const since = performance.now()
  const busy = await rest(house, rounds, (round) =>
    note(`${sessions} busy and ${sessions} idle, ${round} of ${rounds}`),
  )
  const perSecond = ((clients.answered() - before) * 1000) / (performance.now() - since)
  const alarms = daemon.log().split(alarm).length - 1
  return [
    ...Object.keys(idle).map((what) => rowOf(what, busy[what] ?? [], idle[what] ?? [])),
    { bench, case: 'statements of the busy sessions meanwhile', unit: 'per s', value: perSecond },
    {
      bench,
      case: 'false alarms about the store',
      unit: '',
      value: alarms,
      better: 'less',
      budget: 0,
      ok: alarms === 0,
    },
  ]
}

function rowOf(what: string, busy: readonly number[], idle: readonly number[]): Row {
  const value = median(busy)
  const budget = (mostSeconds as Readonly<Record<string, number>>)[what]
  const kept = budget === undefined ? {} : { better: 'less' as const, budget, ok: value <= budget }
  return { bench, case: what, unit: 's', value, peer: 'no session open', ratio: value / median(idle), ...kept }
}

interface House {
  readonly daemon: RunningDaemon
  readonly alice: Person
  readonly admin: Person
  readonly ca: string
}

/** What a person waits for, in seconds. */
async function rest(house: House, rounds: number, note: (round: number) => void): Promise<Record<string, number[]>> {
  const taken: Record<string, number[]> = {}
  const timed = async <T>(what: string, work: () => Promise<T>): Promise<T> => {
    const since = performance.now()
    const result = await work()
    taken[what] = [...(taken[what] ?? []), (performance.now() - since) / 1000]
    return result
  }
  for (let round = 1; round <= rounds; round += 1) {
    note(round)
    await timed('sign-in', () => createPerson('alice').signIn(`${house.daemon.url}/login`))
    const token = await connectToken(house, 'orders')
    const client = clientOf(house, token)
    await timed('a new session and its first row', async () => {
      await client.connect()
      await client.query('select 1')
    })
    const closed = new Promise((resolve) => client.once('end', resolve))
    await timed('decision until the cut', async () => {
      await call(house.admin, house, `/api/v1/grants/${token.grantId}/revoke`, { reason: 'bench' })
      await closed
    })
  }
  return taken
}

interface Token {
  readonly token: string
  readonly grantId: string
}

async function connectToken(house: House, resource: (typeof names)[number]): Promise<Token> {
  await call(house.alice, house, '/api/v1/requests', { resource, level: 'readonly', durationMs: 3_600_000 })
  return await call<Token>(house.alice, house, '/api/v1/connect-tokens', { resource })
}

function clientOf({ daemon, ca }: House, { token }: Token): pg.Client {
  const { postgresPort: port } = daemon
  const client = new pg.Client({
    host: '127.0.0.1',
    port,
    user: 'bench',
    password: token,
    database: 'orders',
    ssl: { ca },
  })
  return client.on('error', () => {})
}

async function call<T>(person: Person, { daemon }: Pick<House, 'daemon'>, where: string, body: object): Promise<T> {
  const response = await person.fetch(`${daemon.url}${where}`, {
    method: 'POST',
    headers: { origin: daemon.url, 'content-type': 'application/json' },
    body: JSON.stringify(body),
    signal: AbortSignal.timeout(60_000),
  })
  if (!response.ok) throw new Error(`${where}: ${response.status} ${await response.text()}`)
  return (await response.json()) as T
}

async function startClients(daemon: RunningDaemon, sessions: number, { token }: Token, closing: AsyncDisposableStack) {
  const program = fileURLToPath(new URL('busy-clients.ts', import.meta.url))
  const child = await start([program, `${daemon.postgresPort}`, `${sessions}`, `${sessions}`], closing, {
    ...process.env,
    BENCH_TOKEN: token,
  })
  let answered = 0
  const opened = Promise.withResolvers<void>()
  createInterface({ input: child.stdout }).on('line', (line) => {
    if (line === 'open') opened.resolve()
    else answered = Number(line)
  })
  let log = ''
  child.stderr.on('data', (chunk: Buffer) => (log += chunk.toString()))
  void child.exited.then((code) => opened.reject(new Error(`the clients ended with ${code}: ${log}`)))
  await opened.promise
  return { answered: () => answered }
}

async function startBroker(sandbox: Sandbox, closing: AsyncDisposableStack): Promise<RunningDaemon> {
  const authority = createAuthority()
  const { endpoint } = instances.orders
  const issued = authority.issue([endpoint, instances.billing.endpoint])
  const { cert = '', key = '', ca = '' } = writeShared('busy', { ...issued, ca: authority.cert })
  const port = await freePort()
  const program = fileURLToPath(new URL('busy-target.ts', import.meta.url))
  const target = await start([program, `${port}`, cert, key], closing)
  await once(target.stdout, 'data')
  const daemon = await startDaemon(sandbox, {
    overrides: {
      ...measuredDatabases({ names, port, ca }),
      recordings: { reserve: '50MB', max_per_session: '20GB', max_per_principal: '200GB' },
      limits: { sessions_per_principal: 5000, sessions_per_resource: 5000 },
    },
  })
  closing.defer(async () => void (await daemon.stop()))
  return daemon
}

async function start(
  args: readonly string[],
  closing: AsyncDisposableStack,
  env: NodeJS.ProcessEnv = process.env,
): Promise<GuardedProcess> {
  const child = await spawnGuarded({ command: process.execPath, args, stopSignal: 'TERM', env })
  closing.defer(async () => void (await child.stop()))
  return child
}
