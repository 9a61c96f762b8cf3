import t, { type Test } from 'tap'
import { Counter, countsHere } from '../../../../src/store/counts/counter.ts'
import { SharedCounts } from '../../../../src/store/counts/shared-counts.ts'
import type { StorePlace } from '../../../../src/store/place.ts'
import { openStore } from '../../../../src/store/store.ts'
import { postgresPlace, sqlitePlace } from '../both-stores.ts'

const minute = 60_000
const keyring = { derive: (purpose: string, text: string) => Buffer.from(`${purpose} ${text}`) }

/** Daemons on one store, at a clock that the test moves. */
async function start(t: Test, place: StorePlace, names = ['a', 'b']) {
  const db = await openStore(place)
  t.teardown(() => db.destroy())
  const clock = { at: Date.now(), now: () => clock.at }
  const counts = names.map((daemonId) => new SharedCounts({ db, keyring, clock, daemonId }))
  const exchange = async () => {
    for (const each of counts) await each.exchange()
    for (const each of counts) await each.exchange()
  }
  const rows = () => db.selectFrom('shared_counts').select(['key', 'daemon_id', 'amount']).orderBy('amount').execute()
  return { db, clock, counts, exchange, rows }
}

t.test('a window ends at its instant, or when the clock is set back', async (t) => {
  const clock = { at: 1_000_000, now: () => clock.at }
  const counter = countsHere(clock).counter('requests', 10)
  counter.add('x', 3, clock.at + minute)
  clock.at += 1000
  t.same(counter.add('x', 4, clock.at + minute), { current: 7, ttl: minute - 1000 })
  clock.at += minute - 1001
  t.equal(counter.read('x').current, 7)
  clock.at += 1
  t.same(counter.read('x'), { current: 0, ttl: 0 })
  t.same(counter.add('x', 1, clock.at + minute), { current: 1, ttl: minute })
  clock.at -= 1
  t.equal(counter.read('x').current, 0)
})

t.test('of more keys than are kept, the one that was counted longest ago is forgotten', async (t) => {
  const counter = new Counter({ clock: { now: () => 0 }, mostKeys: 2 })
  for (const key of ['x', 'y', 'x', 'z']) counter.add(key, 1, minute)
  t.same(
    ['x', 'y', 'z'].map((key) => counter.read(key).current),
    [2, 0, 1],
  )
})

t.test('what is used at one daemon counts at the other with the next exchange', async (t) => {
  const { clock, counts, exchange, rows } = await start(t, await postgresPlace())
  const [a, b] = counts.map((each) => each.counter('requests', 100))
  const until = clock.at + minute
  a?.add('x', 4, until)
  await exchange()
  t.same(await rows(), [], 'less than a twentieth of the limit is not worth a row')
  a?.add('x', 1, until)
  b?.add('x', 30, until + 1000)
  await exchange()
  t.same(b?.read('x'), { current: 35, ttl: minute + 1000 })
  t.equal(a?.read('x').current, 35)
  t.equal(b?.read('y').current, 0)
  a?.add('x', 4, until)
  await exchange()
  t.equal(b?.read('x').current, 35)
  a?.add('x', 1, until)
  await exchange()
  t.equal(b?.read('x').current, 40)
  t.equal((await rows()).length, 2, 'one row a daemon')

  clock.at = until
  t.equal(b?.read('x').current, 30, 'what is over counts no more, also before the next exchange')
  a?.add('x', 5, until + minute)
  await exchange()
  t.equal(b?.read('x').current, 35, 'nor is it in the way of the next window')
  clock.at += minute
  await counts[0]?.sweep()
  t.same(await rows(), [])
})

t.test('counters with different names do not mix; a daemon that starts again has its own count anew', async (t) => {
  const { counts, exchange, clock, db } = await start(t, await postgresPlace())
  const [a, b] = counts
  a?.counter('recordings', 10).add('x', 7, clock.at + minute)
  await exchange()
  t.equal(b?.counter('requests', 10).read('x').current, 0)
  t.equal(b?.counter('recordings', 10).read('x').current, 7)
  const again = new SharedCounts({ db, keyring, clock, daemonId: 'a' })
  await again.exchange()
  const counter = again.counter('recordings', 10)
  t.equal(counter.read('x').current, 0)
  counter.add('x', 2, clock.at + minute)
  await again.exchange()
  await exchange()
  t.equal(b?.counter('recordings', 10).read('x').current, 2)
})

t.test('without the store each counts for itself, and tells what it counted when it is back', async (t) => {
  const { db, counts, exchange, clock } = await start(t, await postgresPlace())
  const [a, b] = counts.map((each) => each.counter('requests', 10))
  a?.add('x', 6, clock.at + minute)
  await db.schema.alterTable('shared_counts').renameTo('away').execute()
  await t.rejects(exchange())
  t.equal(a?.add('x', 1, clock.at + minute).current, 7)
  t.equal(b?.read('x').current, 0)
  await db.schema.alterTable('away').renameTo('shared_counts').execute()
  await exchange()
  t.equal(b?.read('x').current, 7)
})

t.test('many keys at once are told a thousand at a time', async (t) => {
  const { counts, clock, rows } = await start(t, await postgresPlace())
  const counter = counts[0]?.counter('requests', 1)
  for (let i = 0; i < 2500; i++) counter?.add(`192.0.2.${i}`, 1, clock.at + minute)
  for (const expected of [1000, 2000, 2500, 2500]) {
    await counts[0]?.exchange()
    t.equal((await rows()).length, expected)
  }
})

t.test('a row that no daemon wrote gives no credit, ends, and does not stop the exchange', async (t) => {
  const { db, counts, exchange, clock, rows } = await start(t, await postgresPlace())
  const [a, b] = counts.map((each) => each.counter('requests', 10))
  a?.add('x', 5, clock.at + minute)
  await exchange()
  const [row] = await rows()
  const forge = (amount: unknown, until: number) =>
    db
      .insertInto('shared_counts')
      .values({ key: row?.key ?? '', daemon_id: `forged ${amount} ${until}`, amount: amount as number, until })
      .execute()
  await forge(-1000, clock.at + 1000)
  await forge(1000, clock.at + 366 * 86_400_000)
  await exchange()
  t.equal(b?.read('x').current, 5)
  await forge('9223372036854775807', clock.at + 1000)
  await forge('9223372036854775806', clock.at + 1000)
  await exchange()
  t.ok((b?.read('x').current ?? 0) > 10, 'it limits')
  clock.at += 1000
  await exchange()
  t.equal(b?.read('x').current, 5, 'until its end')
})

t.test('on SQLite there is one daemon, and nothing is written', async (t) => {
  const { counts, exchange, clock, rows } = await start(t, await sqlitePlace())
  counts[0]?.counter('requests', 1).add('x', 5, clock.at + minute)
  await exchange()
  t.same(await rows(), [])
})
