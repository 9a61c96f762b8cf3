import t from 'tap'
import type { CatalogEntry } from '../../../src/catalog/resource.ts'
import { soleLeader } from '../../../src/daemons/leadership.ts'
import { keyOf, type Membership } from '../../../src/pushed/membership.ts'
import { newPush } from '../../../src/pushed/push.ts'
import { StoredPushes } from '../../../src/pushed/push-books.ts'
import { findUnrecorded } from '../../../src/pushed/unrecorded.ts'
import { openStore } from '../../../src/store/store.ts'
import { createLogger } from '../../../src/telemetry/logger.ts'
import { memoryLog } from './log.ts'
import { keyring } from './store-setup.ts'
import { membershipOf } from './world.ts'

const now = 1_800_000_000_000

function entryOf(set: string): CatalogEntry {
  return {
    ...{ id: `permission-set/111122223333/${set}`, kind: 'permission-set', partition: 'aws', organization: null },
    ...{ account: '111122223333', region: null, name: set, tags: {}, attributes: {}, source: 'discovery' },
    ...{ target: set, targetId: set },
  }
}

/** An AWS that holds this. */
function awsWith(there: readonly Membership[]) {
  const asked: string[] = []
  const pusher = {
    observeAll: async ({ resource }: { resource: { name: string } }) => {
      asked.push(resource.name)
      return there.filter(({ what }) => what.endsWith(`/${resource.name}`))
    },
  }
  return { asked, pusherOf: () => pusher }
}

t.test('restored from yesterday: what was given since is listed, and nothing else', async (t) => {
  const db = await openStore({ url: 'sqlite::memory:' })
  t.teardown(() => db.destroy())
  const { log, records } = memoryLog(db, () => now)
  const deps = { audit: log, db, keyring, leader: soleLeader(db), logger: createLogger({ level: 'silent' }) }
  const books = new StoredPushes(deps)
  const granted = { state: 'granted', ownership: 'created', begunAt: now, version: 1 } as const
  const give = async (membership: Membership) =>
    await books.write({ ...newPush(membership, now), ...granted }, { type: 'granted', grants: ['grt_1'] })
  const [before, since] = [membershipOf('alice'), membershipOf('bob')]
  await give(before)
  const backup = { rows: await db.selectFrom('pushes').selectAll().execute(), events: records.length }
  await give(since)
  const aws = awsWith([before, since])
  const list = async (of: StoredPushes) =>
    await findUnrecorded(
      {
        ...{ books: of, pusherOf: aws.pusherOf },
        wants: () => ({ byKey: new Map(), unclear: new Set() }),
        links: {
          all: [{ principalId: 'prn_b', userId: 'bob', userName: 'bob', foundBy: 'email', linkedAt: 1, version: 1 }],
        },
        directory: () => ({
          user: async (id) => (id === 'gone' ? null : { id, userName: `${id}!`, emails: [], isDisabled: false }),
        }),
      },
      [entryOf('ps-1')],
      {},
    )
  t.same((await list(books)).items, [])
  await db.deleteFrom('pushes').execute()
  await db.insertInto('pushes').values(backup.rows).execute()
  records.length = backup.events
  const restored = new StoredPushes(deps)
  await restored.load(now)
  t.same((await list(restored)).items, [
    {
      ...{ resource: 'permission-set/111122223333/ps-1', kind: 'permission-set', userId: 'bob', userName: 'bob!' },
      ...{ principals: ['prn_b'], grants: [] },
    },
  ])
  await restored.adopt({ ...newPush(since, now), state: 'removing', ownership: 'adopted', version: 1 }, 'dave')
  t.same((await list(restored)).items, [], 'what was taken over has a record')
})

t.test('page by page, with a bounded number of calls each', async (t) => {
  const sets = Array.from({ length: 60 }, (_, i) => `ps-${String(i).padStart(2, '0')}`)
  const there = ['ps-03', 'ps-30', 'ps-59'].flatMap((set) => ['a', 'gone'].map((user) => membershipOf(user, set)))
  const aws = awsWith(there)
  const deps = {
    books: { open: async () => [] },
    wants: () => ({
      byKey: new Map(
        there.slice(0, 1).map((membership) => [keyOf(membership), { membership, until: now, grants: ['grt_1'] }]),
      ),
      unclear: new Set<string>(),
    }),
    links: { all: [] },
    directory: () => ({
      user: async (id: string) => (id === 'gone' ? null : { id, userName: id, emails: [], isDisabled: false }),
    }),
    pusherOf: aws.pusherOf,
  }
  const found = []
  let cursor: string | undefined
  do {
    const before = aws.asked.length
    const page = await findUnrecorded(deps, sets.map(entryOf).toReversed(), {
      ...(cursor === undefined ? {} : { cursor }),
    })
    t.ok(aws.asked.length - before <= 25)
    found.push(...page.items)
    cursor = page.next ?? undefined
  } while (cursor !== undefined)
  t.same(aws.asked, sets, 'each once')
  t.same(
    found.map(({ resource, userName, grants }) => [resource.slice(-5), userName, grants.length]),
    [
      ['ps-03', 'a', 1],
      ['ps-03', null, 0],
      ['ps-30', 'a', 0],
      ['ps-30', null, 0],
      ['ps-59', 'a', 0],
      ['ps-59', null, 0],
    ],
  )
  t.match(await findUnrecorded(deps, sets.map(entryOf), { limit: 1 }), { items: { length: 2 }, next: /ps-03$/ })
})
