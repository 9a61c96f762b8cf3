/** Connections to the store that end while they are in use: who uses them is told, and the daemon goes on. */
import { sql } from 'kysely'
import t, { type Test } from 'tap'
import { type Db, openStore, transactOn } from '../../src/store/store.ts'
import { postgresPlace } from '../src/store/both-stores.ts'
import { waitUntil } from '../wait-until.ts'

async function setup(t: Test) {
  const place = await postgresPlace()
  const [db, operator] = [await openStore(place), await openStore(place)]
  t.teardown(() => Promise.all([db.destroy(), operator.destroy()]))
  const pidOf = async (of: Db) =>
    (await sql<{ pid: number }>`select pg_backend_pid() as pid`.execute(of)).rows[0]?.pid ?? 0
  /** Resolves once the server has let go of it: what it said last is on its way. */
  const end = (pid: number) => sql`select pg_terminate_backend(${pid}, 5000)`.execute(operator)
  const goesOn = async () => t.ok((await pidOf(db)) > 0)
  return { db, pidOf, end, goesOn }
}

const gone = { code: 'STORE_UNAVAILABLE' }

t.test('F: between two statements of a transaction, by an operator', async (t) => {
  const { db, pidOf, end, goesOn } = await setup(t)
  const work = db.transaction().execute(async (trx) => {
    await end(await pidOf(trx))
    await trx.insertInto('settings').values({ key: 'a', value: '1' }).execute()
  })
  await t.rejects(work, gone)
  await goesOn()
  t.same(await db.selectFrom('settings').selectAll().execute(), [])
})

t.test('F: between two statements, by the time-out of the server for those that stop in the middle', async (t) => {
  const { db, pidOf, goesOn } = await setup(t)
  const work = db.transaction().execute(async (trx) => {
    await sql`set local idle_in_transaction_session_timeout = 1`.execute(trx)
    const pid = await pidOf(trx)
    const isGone = async () =>
      (await sql`select 1 from pg_stat_activity where pid = ${pid}`.execute(db)).rows.length === 0
    await waitUntil(isGone, 'the server has ended it')
    await trx.insertInto('settings').values({ key: 'a', value: '1' }).execute()
  })
  await t.rejects(work, gone)
  await goesOn()
})

t.test('F: while a statement runs', async (t) => {
  const { db, pidOf, end, goesOn } = await setup(t)
  const work = db.transaction().execute(async (trx) => {
    const pid = await pidOf(trx)
    await Promise.all([sql`select pg_sleep(10)`.execute(trx), end(pid)])
  })
  await t.rejects(work, gone)
  await goesOn()
})

t.test('F: in a commit of the log, which is made again by who asks', async (t) => {
  const { db, end, goesOn } = await setup(t)
  const first = sql<{ pid: number }>`select pg_backend_pid() as pid`.compile(db)
  let ended: Promise<unknown> | undefined
  const work = transactOn(db)([first], ([rows = []]) => {
    ended = end((rows[0] as { pid: number }).pid)
    return [sql`select pg_sleep(10)`.compile(db)]
  })
  await t.rejects(work, gone)
  await ended
  await goesOn()
})
