import t, { type Test } from 'tap'
import { soleLeader } from '../../../src/daemons/leadership.ts'
import { keyOf } from '../../../src/pushed/membership.ts'
import { newPush, type Push } from '../../../src/pushed/push.ts'
import { StoredPushes } from '../../../src/pushed/push-books.ts'
import type { StorePlace } from '../../../src/store/place.ts'
import { openStore } from '../../../src/store/store.ts'
import { createLogger } from '../../../src/telemetry/logger.ts'
import { bothStores } from '../store/both-stores.ts'
import { memoryLog } from './log.ts'
import { keyring } from './store-setup.ts'
import { membershipOf } from './world.ts'

const now = 1_800_000_000_000
const alice = membershipOf('alice')
const key = keyOf(alice)

async function start(t: Test, place: StorePlace) {
  const db = await openStore(place)
  t.teardown(() => db.destroy())
  const { log, records } = memoryLog(db, () => now)
  const deps = { audit: log, db, keyring, leader: soleLeader(db), logger: createLogger({ level: 'silent' }) }
  const books = new StoredPushes(deps)
  const granted: Push = {
    ...newPush(alice, now + 1000),
    state: 'granted',
    ownership: 'created',
    begunAt: now,
    version: 2,
  }
  await books.write(
    { ...granted, state: 'granting', ownership: null, version: 1 },
    { type: 'begun', to: 'present', grants: ['grt_1'] },
  )
  await books.write(granted, { type: 'granted', grants: ['grt_1'] })
  const restarted = async () => {
    const next = new StoredPushes(deps)
    await next.load(now)
    return next
  }
  return { db, books, granted, restarted, records }
}

for (const [name, newPlace] of bothStores)
  t.test(name, async (t) => {
    const place = await newPlace()
    await t.test('what is written is read as it was, also by the next process', async (t) => {
      const { books, granted, restarted, records } = await start(t, place)
      t.same(await books.open(), [granted])
      const underway = { to: 'absent', ticket: { id: 'r-1' }, since: now } as const
      const removing: Push = {
        ...granted,
        state: 'removing',
        underway,
        reason: 'slow',
        isLasting: true,
        overdueSince: now,
        version: 3,
      }
      await books.write(removing)
      t.same(await (await restarted()).open(), [removing])
      t.match(records, [
        { type: 'push.begun', fields: { push: key, to: 'present', grants: ['grt_1'], user: 'alice', version: 1 } },
        { type: 'push.granted', fields: { ownership: 'created', begun_at: now, version: 2 } },
      ])
      await t.rejects(books.write(removing), { code: 'STALE' })
      await t.rejects(books.write(granted, { type: 'granted' }), { code: 'STALE' })
      t.equal(records.length, 2, 'nor is there an event of it')
      await books.write(
        { ...removing, state: 'gone', ownership: null, underway: null, version: 4 },
        { type: 'removed' },
      )
      t.same(await books.open(), [])
      t.match(await (await restarted()).find(key), { state: 'gone', version: 4 })
    })
  })

t.test('whatever happens to its row, a push is what the log says', async (t) => {
  const { db, books, restarted, records } = await start(t, { url: 'sqlite::memory:' })
  const row = async () => await db.selectFrom('pushes').selectAll().where('id', '=', key).executeTakeFirstOrThrow()
  const early = await row()
  const isAsLogged = async (problem: RegExp) => {
    for (const one of [books, await restarted()]) {
      t.match(await one.open(), [{ membership: alice, state: 'granted', ownership: 'created', begunAt: now }])
      t.match(await one.find(key), { state: 'granted', ownership: 'created' })
    }
    t.match(records.at(-1), { type: 'store.refused', fields: { table: 'pushes', row: key, problem } })
  }
  await db.updateTable('pushes').set({ ownership: 'pre-existing' }).execute()
  await isAsLogged(/signature/)
  await db.updateTable('pushes').set({ state: 'gone' }).execute()
  await isAsLogged(/signature/)
  await db.updateTable('pushes').set({ user_id: 'mallory' }).execute()
  await isAsLogged(/signature/)
  await db.deleteFrom('pushes').execute()
  await isAsLogged(/gone/)
  const granted = await books.find(key)
  if (!granted) throw new Error('no push')
  await books.write({ ...granted, ownership: 'uncertain', version: granted.version + 1 }, { type: 'outside' })
  await db.updateTable('pushes').set(early).execute()
  t.match(await books.find(key), { ownership: 'uncertain' }, 'an earlier row that was put back')
  t.match(records.at(-1), { type: 'store.refused', fields: { problem: /earlier/ } })
  await db
    .insertInto('pushes')
    .values({ ...early, id: 'made up', mac: 'made up' })
    .execute()
  t.equal((await books.open()).length, 1, 'one that the log does not know counts for nothing')
})

t.test('audit verify names rows that are not the broker’s, put back or gone', async (t) => {
  const { db, books } = await start(t, { url: 'sqlite::memory:' })
  const problems = async () => {
    const found: string[] = []
    for await (const { what } of books.checkRows()) found.push(what)
    return found
  }
  t.same(await problems(), [])
  await db.updateTable('pushes').set({ failures: 7 }).execute()
  t.match(await problems(), [/no valid signature/])
  await db.deleteFrom('pushes').execute()
  t.match(await problems(), [/its row is gone/])
})
