/** B3: sessions that keep the daemon busy keep nobody from deciding or signing in, and are no outage of the store. */
import { sql } from 'kysely'
import { pino } from 'pino'
import t, { type Test } from 'tap'
import { inLane, type Lane, LaneQueue } from '../../src/store/lanes.ts'
import { type Db, openStore, pingStore } from '../../src/store/store.ts'
import { watchStore } from '../../src/store/store-watch.ts'

async function open(t: Test): Promise<Db> {
  const db = await openStore({ url: 'sqlite::memory:' })
  t.teardown(() => db.destroy())
  return db
}

t.test('B3: the store is asked beside its queue', async (t) => {
  const db = await open(t)
  const done: string[] = []
  const hold = Promise.withResolvers<void>()
  const long = db.transaction().execute(async (trx) => {
    await sql`select 1`.execute(trx)
    await hold.promise
  })
  const queued = Array.from({ length: 500 }, () => sql`select 1`.execute(db).then(() => done.push('query')))
  await pingStore(db)
  t.same(done, [], 'nothing of the queue had to run before')
  const lost: string[] = []
  const onLost = () => void lost.push('lost')
  const watch = watchStore({ ping: () => pingStore(db), graceMs: 0, onLost, logger: pino({ level: 'silent' }) })
  await watch.look()
  t.ok(watch.isReachable)
  t.same(lost, [])
  hold.resolve()
  await Promise.all([long, ...queued])
})

t.test('B3: an answer that came while the process was busy is no alarm', async (t) => {
  const db = await open(t)
  const lost: string[] = []
  const watch = watchStore({
    ping: () => pingStore(db),
    graceMs: 0,
    onLost: () => void lost.push('lost'),
    logger: pino({ level: 'silent' }),
    timeoutMs: 50,
  })
  const looked = watch.look()
  const until = performance.now() + 300
  while (performance.now() < until); // the answer arrives meanwhile, and the timer is due first
  await looked
  t.ok(watch.isReachable)
  t.same(lost, [])
})

t.test('B3: a store that is gone is still found out', async (t) => {
  const db = await openStore({ url: 'sqlite::memory:' })
  let losses = 0
  const onLost = () => {
    losses += 1
  }
  const watch = watchStore({ ping: () => pingStore(db), graceMs: 0, onLost, logger: pino({ level: 'silent' }) })
  await db.destroy()
  await watch.look()
  t.notOk(watch.isReachable)
  t.equal(losses, 1)
  const silent = { ping: () => new Promise<never>(() => {}), graceMs: 0, onLost, timeoutMs: 20 }
  const other = watchStore({ ...silent, logger: pino({ level: 'silent' }) })
  await other.look()
  t.notOk(other.isReachable, 'one that does not answer at all')
})

t.test('B3: a decision does not stand behind the books', async (t) => {
  const db = await open(t)
  const done: string[] = []
  const query = (name: string) => sql`select 1`.execute(db).then(() => done.push(name))
  const books = Array.from({ length: 200 }, () => inLane('books', () => query('books')))
  const decisions = Array.from({ length: 3 }, () => query('decision'))
  await Promise.all([...books, ...decisions])
  t.ok(
    done.lastIndexOf('decision') < 6,
    `decisions came as ${done.indexOf('decision')} to ${done.lastIndexOf('decision')}`,
  )
  t.equal(done.length, 203)
})

t.test('B3: a transaction of the books is let finish, and keeps its lane through its awaits', async (t) => {
  const db = await open(t)
  const done: string[] = []
  const book = inLane('books', () =>
    db.transaction().execute(async (trx) => {
      await sql`select 1`.execute(trx)
      await sql`select 2`.execute(trx)
      done.push('books')
    }),
  )
  const decision = sql`select 1`.execute(db).then(() => done.push('decision'))
  await Promise.all([book, decision])
  t.same(done, ['books', 'decision'])
})

t.test('B3: neither do decisions starve the books', async (t) => {
  const queue = new LaneQueue()
  const order: Lane[] = []
  const wait = (lane: Lane) => inLane(lane, () => queue.acquire()).then(() => order.push(lane))
  await queue.acquire()
  const all = [wait('books'), wait('books'), ...Array.from({ length: 40 }, () => wait('decisions'))]
  for (let i = 0; i < all.length; i++) {
    queue.release()
    await Promise.resolve()
    await Promise.resolve()
  }
  await Promise.all(all)
  t.ok(order.indexOf('books') <= 8)
  t.ok(order.lastIndexOf('books') <= 17)
})
