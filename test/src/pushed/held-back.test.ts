import t from 'tap'
import { soleLeader } from '../../../src/daemons/leadership.ts'
import { digestOf } from '../../../src/pushed/early.ts'
import { HeldBack } from '../../../src/pushed/held-back.ts'
import { keyOf } from '../../../src/pushed/membership.ts'
import { newPush, type Push } from '../../../src/pushed/push.ts'
import { StoredPushes } from '../../../src/pushed/push-books.ts'
import type { Wants } from '../../../src/pushed/reconcile-ports.ts'
import { openStore } from '../../../src/store/store.ts'
import { createLogger } from '../../../src/telemetry/logger.ts'
import { memoryLog } from './log.ts'
import { keyring } from './store-setup.ts'
import { membershipOf } from './world.ts'

const now = 1_800_000_000_000
const hour = 3_600_000
const users = Array.from({ length: 250 }, (_, i) => `user-${i}`)

function pushOf(user: string, more: Partial<Push> = {}): Push {
  const granted = { state: 'granted', ownership: 'created', begunAt: now - hour, version: 1 } as const
  return { ...newPush(membershipOf(user), now + hour), ...granted, ...more }
}

t.test('a list is released by its digest, all of it or none', async (t) => {
  const db = await openStore({ url: 'sqlite::memory:' })
  t.teardown(() => db.destroy())
  const { log, records } = memoryLog(db, () => now)
  const deps = { audit: log, db, keyring, leader: soleLeader(db), logger: createLogger({ level: 'silent' }) }
  const books = new StoredPushes(deps)
  for (const user of users) await books.write(pushOf(user), { type: 'granted', grants: ['grt_1'] })
  await books.write(pushOf('late', { wantedUntil: now - 1 }), { type: 'granted', grants: [] })
  await books.write(pushOf('going', { state: 'removing' }), { type: 'begun', to: 'absent' })
  const wanted = membershipOf('user-0')
  const wants: Wants = {
    byKey: new Map([[keyOf(wanted), { membership: wanted, until: now + hour, grants: ['grt_2'] }]]),
    unclear: new Set(['user-1']),
  }
  let most = 50
  const heldBack = new HeldBack({ books, clock: { now: () => now }, wants: () => wants, mostRemovals: () => most })
  const { pushes, digest } = await heldBack.list()
  t.equal(pushes.length, 248, 'neither what is wanted, nor what is unclear, late or going')
  t.equal(digest, digestOf(pushes.toReversed()))
  const told = records.length
  await t.rejects(heldBack.release(digestOf(pushes.slice(1)), 'dave'), { code: 'STALE', message: /another one/ })
  most = 248
  await t.rejects(heldBack.release(digest ?? '', 'dave'), { code: 'STALE', message: /nothing is held back/ })
  t.equal(records.length, told, 'nothing is on record, and no row is written')
  most = 50
  t.equal(await heldBack.release(digest ?? '', 'dave'), 248)
  t.same(await heldBack.list(), { pushes: [], digest: null, most: 50 })
  const events = records.slice(told)
  t.match(events, [
    { type: 'push.released', actor: 'dave', fields: { digest, count: 100, of: 248 } },
    { fields: { count: 100 } },
    { fields: { count: 48 } },
  ])
  t.equal(new Set(events.flatMap(({ fields }) => fields.pushes)).size, 248)
  const other = new StoredPushes(deps)
  await other.load(now)
  t.match(await other.find(keyOf(membershipOf('user-2'))), { wantedUntil: now, overdueSince: now, state: 'granted' })
  t.match(await other.find(keyOf(wanted)), { wantedUntil: now + hour })
})

t.test('who can write the store releases nothing', async (t) => {
  const db = await openStore({ url: 'sqlite::memory:' })
  t.teardown(() => db.destroy())
  const { log } = memoryLog(db, () => now)
  const books = new StoredPushes({
    ...{ audit: log, db, keyring, leader: soleLeader(db) },
    logger: createLogger({ level: 'silent' }),
  })
  for (const user of ['a', 'b']) await books.write(pushOf(user), { type: 'granted', grants: [] })
  await db
    .updateTable('pushes')
    .set({ wanted_until: now - 1 })
    .execute()
  const wants: Wants = { byKey: new Map(), unclear: new Set() }
  const heldBack = new HeldBack({ books, clock: { now: () => now }, wants: () => wants, mostRemovals: () => 1 })
  t.equal((await heldBack.list()).pushes.length, 2)
})
