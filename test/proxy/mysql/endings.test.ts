/** The end of access, and the death of the target, at every point of a session. */
import t, { type Test } from 'tap'
import { skipWithoutMariaDb } from '../../sandbox/mysql/mariadb.ts'
import { waitUntil } from '../../wait-until.ts'
import { startEngine } from './engine-fixture.ts'
import { errorOf, flag, packet } from './raw-client.ts'
import { execute, fetch, lastOf, openRaw, openSession, prepare, query, type RawSession } from './raw-session.ts'

const localFiles = 0x80
const manyRows = "select repeat('r', 1000) from samples.seq_1_to_1000000"
const load = "load data local infile 'rows' into table samples.imported (id)"

/** @returns packets that came before what follows */
type Begin = (t: Test) => Promise<{ readonly session: RawSession; readonly from: number; readonly sequence: number }>

const absent = skipWithoutMariaDb()
if (absent) t.plan(0, absent)
else await testEndings()

async function testEndings(): Promise<void> {
  const engine = await startEngine()
  t.teardown(() => engine.close())
  const { rds, control, seen, port, mariadb } = engine

  t.beforeEach(async () => {
    control.route = { localInfile: true }
    await rds.faults.clear()
    await waitUntil(() => rds.open === 0 && seen.ends.length === seen.asks.length, 'no session is left')
    for (const list of [seen.entries, seen.ends, seen.asks, engine.errors]) list.length = 0
    await mariadb.query('TRUNCATE samples.imported')
  })

  const open = (t: Test) => openSession(t, port, { capabilities: localFiles })
  const closed = ({ socket }: RawSession) => waitUntil(() => socket.closed, 'the client is let go')

  const points: Readonly<Record<string, Begin>> = {
    idle: async (t) => {
      const session = await open(t)
      return { session, from: session.packets.all.length, sequence: 0 }
    },
    'before the first byte of an answer': async (t) => {
      const session = await open(t)
      const from = session.packets.all.length
      session.send(query('select sleep(60)'))
      await waitUntil(() => isRunning('select sleep(60)'), 'it runs')
      return { session, from, sequence: 1 }
    },
    'amid rows': async (t) => {
      const session = await open(t)
      const from = session.packets.all.length
      session.send(query(manyRows))
      await waitUntil(() => session.packets.all.length > from + 100, 'rows come')
      session.socket.pause()
      await waitUntil(() => isRunning(manyRows), 'more are to come')
      return { session, from, sequence: -1 }
    },
    'between the fetches of a cursor': async (t) => {
      const session = await open(t)
      const before = session.packets.all.length
      session.send(prepare('select id from samples.counted'))
      const id = (await session.packets.next()).payload.readUInt32LE(1)
      session.send(execute(id, 1), fetch(id, 2))
      // A column and its end; a number of columns, one, its end; two rows and their end.
      await waitUntil(() => session.packets.all.length === before + 9, 'two are fetched')
      return { session, from: session.packets.all.length, sequence: 0 }
    },
    'amid a file': async (t) => {
      const session = await open(t)
      session.send(query(load))
      const { payload } = await session.packets.next()
      t.equal(payload.toString('latin1'), '\xfbrows')
      session.send(packet(2, Buffer.from('1\n2\n3\n')))
      await waitUntil(() => isRunning('load data%'), 'it is read')
      return { session, from: session.packets.all.length, sequence: 3 }
    },
  }

  async function isRunning(like: string): Promise<boolean> {
    const rows = await mariadb.query(
      'select 1 from information_schema.processlist where info like ? and info not like ?',
      [like, '%processlist%'],
    )
    return rows.length > 0
  }

  const nothingRuns = () =>
    waitUntil(async () => {
      const rows = await mariadb.query("select id from information_schema.processlist where user like 'sallyport%'")
      return rows.length === 0
    }, 'nothing is left at the target')

  for (const [point, begin] of Object.entries(points)) {
    t.test(`access ends ${point}`, async (t) => {
      const { session, from, sequence } = await begin(t)
      await engine.cut()
      session.socket.resume()
      await closed(session)
      const { last, isInOrder } = lastOf(session, from)
      t.match(errorOf(last?.payload), {
        number: 1053,
        state: '08S01',
        text: /revoked by bob@example\.com: incident 42/,
      })
      t.ok(isInOrder)
      if (sequence >= 0) t.equal(last?.sequence, sequence)
      await engine.ended(1)
      t.match(seen.ends, [{ reason: 'grant-revoked' }])
      await nothingRuns()
      t.same(await mariadb.query('select id from samples.imported'), [], 'half a file is not imported')
      if (point !== 'idle' && !point.includes('cursor')) t.match(seen.entries.at(-1), { unfinished: true })
    })

    t.test(`the target dies ${point}`, async (t) => {
      const { session, from, sequence } = await begin(t)
      rds.faults.dropSessions()
      session.socket.resume()
      await closed(session)
      const { last, isInOrder } = lastOf(session, from)
      t.ok(isInOrder)
      // Where a row had been sent in part, nothing can be said any more.
      if (sequence >= 0 || last?.payload[0] === 0xff) {
        t.match(errorOf(last?.payload), { number: 1053, state: '08S01', text: /TARGET_LOST/ })
        if (sequence >= 0) t.equal(last?.sequence, sequence)
      }
      await engine.ended(1)
      t.match(seen.ends, [{ reason: 'upstream-failed', error: { code: 'TARGET_LOST' } }])
      if (point !== 'idle' && !point.includes('cursor')) t.match(seen.entries.at(-1), { unfinished: true })
    })
  }

  for (const where of ['greeting', 'tls', 'login'] as const)
    t.test(`access ends, and the target dies, while it hangs at its ${where}`, async (t) => {
      rds.faults.hang(where)
      const before = rds.connections
      const first = await openRaw(t, port, { capabilities: flag.sessionTrack })
      await waitUntil(() => rds.connections > before, 'it is dialled')
      await engine.cut()
      const { sequence, payload } = await first.answer()
      t.equal(sequence, 3, 'in the place of the OK')
      t.match(errorOf(payload), { number: 1053, state: '08S01', text: /incident 42/ })
      await engine.ended(1)
      const second = await openRaw(t, port)
      await waitUntil(() => rds.connections > before + 1, 'it is dialled again')
      await rds.faults.down(true)
      t.match(errorOf((await second.answer()).payload), { number: /^(1053|1105)$/, text: /TARGET_(LOST|UNREACHABLE)/ })
      await engine.ended(2)
      t.match(seen.ends, [{ reason: 'grant-revoked' }, { reason: 'open-failed' }])
    })
}
