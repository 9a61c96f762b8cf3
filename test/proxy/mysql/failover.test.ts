/** Endpoints that move, that lead to a reader, and that have a pooler behind them. */
import t from 'tap'
import { skipWithoutMariaDb } from '../../sandbox/mysql/mariadb.ts'
import { waitUntil } from '../../wait-until.ts'
import { startEngine } from './engine-fixture.ts'
import { errorOf } from './raw-client.ts'
import { openRaw, openSession, query, readRows } from './raw-session.ts'

const absent = skipWithoutMariaDb()
if (absent) t.plan(0, absent)
else await testFailover()

async function testFailover(): Promise<void> {
  const engine = await startEngine()
  t.teardown(() => engine.close())
  const { rds, control, seen, port, mariadb } = engine

  t.beforeEach(async () => {
    await rds.faults.clear()
    await waitUntil(() => rds.open === 0 && seen.ends.length === seen.asks.length, 'no session is left')
    control.route = {}
    control.traits = {}
    for (const list of [seen.entries, seen.ends, seen.asks, engine.errors]) list.length = 0
  })

  const refusal = async (t: Parameters<typeof openRaw>[0]) => errorOf((await (await openRaw(t, port)).answer()).payload)

  t.test('a failover: the session is lost in plain words, the endpoint refuses, then leads on', async (t) => {
    control.traits = { isWriter: true }
    const session = await openSession(t, port)
    session.send(query('select 1'))
    await readRows(session)
    await rds.faults.down(true)
    t.match(errorOf((await session.packets.next()).payload), { number: 1053, state: '08S01', text: /TARGET_LOST/ })
    t.match(await refusal(t), { number: 1105, text: /did not answer.*ECONNREFUSED/ })
    await rds.faults.down(false)
    await rds.faults.readOnly(true) // the old name, and a server that is a reader now
    t.match(await refusal(t), { number: 1290, state: 'HY000', text: /only reads\. A failover is under way/ })
    await rds.faults.readOnly(false)
    const again = await openSession(t, port)
    again.send(query('select 2'))
    t.equal((await readRows(again)).length, 5)
    again.socket.destroy()
    await engine.ended(4)
    t.match(seen.ends, [
      { reason: 'upstream-failed', error: { code: 'TARGET_LOST' } },
      { reason: 'open-failed', error: { code: 'TARGET_UNREACHABLE' } },
      { reason: 'open-failed', error: { code: 'TARGET_REFUSED' } },
      { reason: 'client-closed' },
    ])
  })

  t.test('a reader is right where the endpoint is not the writer’s; what it refuses is on record', async (t) => {
    await rds.faults.readOnly(true)
    const connection = await engine.connect(t)
    const changed = connection.query("insert into samples.files (name) values ('x')")
    await t.rejects(changed, { errno: 1290, sqlState: 'HY000', message: /read-only/ })
    t.match(await connection.query('select 1 as one'), [[{ one: 1 }]])
    t.match(seen.entries[0], { error: { number: 1290 } })
  })

  t.test(
    'behind RDS Proxy: no thread is taken for the session’s, KILL is refused, and a cut says what it leaves',
    async (t) => {
      control.traits = { isPooled: true }
      const connection = await engine.connect(t)
      const kill = `KILL QUERY ${connection.threadId}`
      await t.rejects(connection.query(kill), { errno: 1235, message: /RDS Proxy carries no KILL/ })
      const slept = connection.query('select sleep(1)').catch((error: unknown) => error)
      const runs = async () =>
        (await mariadb.query("select 1 from information_schema.processlist where info = 'select sleep(1)'")).length > 0
      await waitUntil(runs, 'it runs')
      const before = rds.connections
      await engine.cut()
      t.match(await slept, { errno: 1053, message: /incident 42/ })
      await engine.ended(1)
      t.match(seen.ends.at(-1), {
        reason: 'grant-revoked',
        unfinished: 'closed',
        error: {
          code: 'UNSUPPORTED',
          detail: /RDS Proxy carries no cancel, so a statement that is running may finish/,
        },
      })
      t.equal(rds.connections, before, 'no second connection, which would meet another backend')
      t.ok(seen.details.at(-1) && !('thread_id' in (seen.details.at(-1) ?? {})))
    },
  )

  t.test('a storm of connections: some wait for their turn, the others are told so at once', async (t) => {
    control.traits = { signInsPerSecond: 1, connectTimeoutMs: 4000 }
    const answers = await Promise.all(
      Array.from({ length: 30 }, async () => (await (await openRaw(t, port)).answer()).payload),
    )
    const refused = answers.filter((payload) => payload[0] === 0xff).map(errorOf)
    t.ok(refused.length >= 10 && refused.length <= 20, `${refused.length} of 30`)
    for (const error of refused)
      t.match(error, {
        number: 1040,
        state: '08004',
        text: /connections? waits? to sign in.*at most 1 new ones a second/,
      })
  })
}
