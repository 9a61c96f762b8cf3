/** A7: what is queued behind a running statement does not start once the session is cut, and nobody else's is ended for it. */
import type { Duplex } from 'node:stream'
import t from 'tap'
import { direct } from '../../proxy/reach/direct.ts'
import type { Wire } from '../../proxy/reach/reach.ts'
import { BrokerError } from '../../proxy/session.ts'
import { startEngine } from '../proxy/postgres/engine-fixture.ts'
import { bind, connectRaw, execute, parse, query, sync } from '../proxy/postgres/raw-client.ts'
import { waitFor, waitUntil } from '../wait-until.ts'

const engine = await startEngine()
t.teardown(() => engine.close())
const { postgres, seen, control } = engine
await postgres.query('orders', 'CREATE TABLE ran (at timestamptz NOT NULL)')
await postgres.query('orders', 'GRANT ALL ON ran TO PUBLIC')

const count = 200
const note = 'INSERT INTO ran VALUES (clock_timestamp())'
/** Slow enough that the queue takes far longer than the second that a cut may take. */
const slowNote = `${note}; SELECT pg_sleep(0.05)`
const times = <T>(make: () => T): T[] => Array.from({ length: count }, make)

const queued: Readonly<Record<string, () => Buffer[]>> = {
  'many Query messages': () => [query('SELECT pg_sleep(60)'), ...times(() => query(slowNote))],
  'one Query of many statements': () => [query(`SELECT pg_sleep(60); ${times(() => slowNote).join(';')}`)],
  'Bind, Execute and Sync, pipelined': () => [
    parse('long', 'SELECT pg_sleep(60)'),
    parse('note', `WITH ran AS (INSERT INTO ran VALUES (clock_timestamp())) SELECT pg_sleep(0.05)`),
    bind('', 'long'),
    execute(''),
    sync,
    ...times(() => [bind('', 'note'), execute(''), sync]).flat(),
  ],
  'one pipeline without a Sync between': () => [
    parse('long', 'SELECT pg_sleep(60)'),
    parse('note', note),
    bind('', 'long'),
    execute(''),
    ...times(() => [bind('', 'note'), execute('')]).flat(),
    sync,
  ],
  'short statements only, so that a cancel falls between them': () =>
    times(() => query(`${note}; SELECT pg_sleep(0.02)`)),
}

async function ran(): Promise<{ rows: number; lastAt: number }> {
  const { rows } = await postgres.query(
    'orders',
    'SELECT count(*) AS rows, extract(epoch FROM max(at)) AS last FROM ran',
  )
  return { rows: Number(rows[0].rows), lastAt: Number(rows[0].last ?? 0) * 1000 }
}

async function processes(where: string): Promise<string[]> {
  const { rows } = await postgres.query('orders', `SELECT pid FROM pg_stat_activity WHERE ${where}`)
  return rows.map(({ pid }) => String(pid))
}

const busy = "usename = 'sallyport_rw' AND state = 'active'"

/** A session with all that sent, once the target works on it. @returns pids of its process */
async function startBusy(t: Parameters<typeof connectRaw>[0], messages: readonly Buffer[]) {
  await postgres.query('orders', 'TRUNCATE ran')
  const client = await connectRaw(t, engine.port)
  client.send(...messages)
  const [pid] = await waitFor(
    async () => {
      const found = await processes(busy)
      return found.length > 0 ? found : undefined
    },
    'the target works',
    10_000,
    20,
  )
  return { client, pid: pid ?? '' }
}

async function isGone(pid: string): Promise<void> {
  await waitUntil(async () => (await processes(`pid = ${pid}`)).length === 0, `process ${pid} has ended`, 20_000, 50)
}

for (const [name, messages] of Object.entries(queued))
  t.test(`A7: ${name}: none starts more than a second after the cut`, async (t) => {
    const { pid } = await startBusy(t, messages())
    const ends = seen.ends.length
    const decidedAt = Date.now()
    await engine.cut({ decidedAt })
    await engine.ended(ends + 1)
    t.match(seen.ends.at(-1), { reason: 'grant-revoked', unfinished: 'ended', error: undefined })
    t.same(await processes(`pid = ${pid}`), [], 'when the session has ended, so has its process')
    const { rows, lastAt } = await ran()
    t.ok(lastAt < decidedAt + 1000, `the last began ${Math.round(lastAt - decidedAt)} ms after the decision`)
    t.ok(rows < count, `${rows} ran`)
  })

for (const reason of ['grant-expired', 'principal-locked', 'killed', 'drain'] as const)
  t.test(`A7: the same when the reason is ${reason}`, async (t) => {
    await startBusy(t, queued['many Query messages']?.() ?? [])
    const ends = seen.ends.length
    const decidedAt = Date.now()
    await engine.cut({ reason, decidedAt })
    await engine.ended(ends + 1)
    t.match(seen.ends.at(-1), { reason, unfinished: 'ended' })
    t.equal((await ran()).rows, 0)
  })

t.test('A7: a client that leaves in the middle takes its queue with it, without a second sign-in', async (t) => {
  const { client, pid } = await startBusy(t, queued['many Query messages']?.() ?? [])
  const [ends, endings] = [seen.ends.length, seen.endings]
  client.socket.destroy()
  await engine.ended(ends + 1)
  await isGone(pid)
  t.equal(seen.ends.at(-1)?.reason, 'client-closed')
  t.equal(seen.endings, endings)
  t.ok((await ran()).rows <= 1)
})

t.test('A7: no credential for the end: cancelled and dropped, and that is said', async (t) => {
  control.noLeaseToEnd = new BrokerError('AWS_UNAVAILABLE', 'STS does not answer')
  t.teardown(() => {
    control.noLeaseToEnd = undefined
  })
  const { pid } = await startBusy(t, queued['many Query messages']?.() ?? [])
  const ends = seen.ends.length
  const decidedAt = Date.now()
  await engine.cut({ decidedAt })
  await engine.ended(ends + 1)
  t.match(seen.ends.at(-1), { unfinished: 'closed', error: { code: 'AWS_UNAVAILABLE' } })
  await isGone(pid)
  t.ok((await ran()).lastAt < decidedAt + 1000)
})

/** The way to the target, with the second connections as a test wants them. */
function detour(again: (wire: Wire, signal: AbortSignal) => Promise<Duplex>) {
  const wires: Wire[] = []
  control.reach = {
    open: async (permit, signal) => {
      const wire = await direct.open(permit, signal)
      wires.push(wire)
      return { ...wire, again: (later) => again(wire, later) }
    },
  }
  return wires
}

t.test('A7: another server answers at the address: its processes are left alone', async (t) => {
  const other = await startEngine()
  t.teardown(() => other.close())
  // Trusted by the session's roots, as another instance of the same account would be.
  const { port } = (await other.postgres.query('orders', 'SHOW port')).rows[0] as { port: string }
  const impostor = other.authority.cert
  control.route = { ca: `${engine.authority.cert}\n${impostor}` }
  const strangers = await connectRaw(t, other.port)
  strangers.send(query('SELECT pg_sleep(60)'))
  await waitUntil(
    async () => (await other.postgres.query('orders', `SELECT 1 FROM pg_stat_activity WHERE ${busy}`)).rowCount === 1,
    'a stranger works there',
    10_000,
    20,
  )
  detour(async (_wire, signal) => {
    const { connect } = await import('node:net')
    return connect({ host: '127.0.0.1', port: Number(port), signal })
  })
  t.teardown(() => {
    control.reach = undefined
    control.route = {}
  })
  await startBusy(t, queued['many Query messages']?.() ?? [])
  const ends = seen.ends.length
  await engine.cut()
  await engine.ended(ends + 1)
  t.match(seen.ends.at(-1), {
    unfinished: 'closed',
    error: { code: 'TARGET_REFUSED', detail: /another server/ },
  })
  const { rowCount } = await other.postgres.query('orders', `SELECT 1 FROM pg_stat_activity WHERE ${busy}`)
  t.equal(rowCount, 1, 'the stranger works on')
})

t.test('A7: a permit that is cut opens no new way, only another stream of one that it opened', async (t) => {
  const wires = detour((wire, signal) => wire.again(signal))
  t.teardown(() => {
    control.reach = undefined
  })
  await startBusy(t, queued['one Query of many statements']?.() ?? [])
  const ends = seen.ends.length
  await engine.cut()
  await engine.ended(ends + 1)
  t.equal(wires.length, 1, 'one way was opened')
  t.match(seen.ends.at(-1), { unfinished: 'ended' })
})

t.test('A7: nothing ran: no second connection, and nothing to tell', async (t) => {
  const client = await connectRaw(t, engine.port)
  const [ends, endings] = [seen.ends.length, seen.endings]
  await engine.cut()
  await engine.ended(ends + 1)
  await client.closed
  t.equal(seen.endings, endings)
  t.equal(seen.ends.at(-1)?.unfinished, undefined)
})

t.test('A7: what was not forwarded is not ended: nothing runs', async (t) => {
  const client = await connectRaw(t, engine.port)
  const before = seen.ends.length
  client.send(query(note), Buffer.from([0]))
  await client.closed
  await engine.ended(before + 1)
  t.match(seen.ends.at(-1), { reason: 'protocol-error' })
  t.equal(seen.ends.at(-1)?.unfinished, undefined)
})
