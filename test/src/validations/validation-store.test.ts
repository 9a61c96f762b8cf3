/** Rows of validations, on both stores. */
import t from 'tap'
import { readPage } from '../../../src/store/lists.ts'
import { openStore } from '../../../src/store/store.ts'
import { createValidationStore, type Found } from '../../../src/validations/validation-store.ts'
import { bothStores } from '../store/both-stores.ts'

const found = (check: string, more: Partial<Found> = {}): Found => ({
  ...{ check, about: 'permission', why: 'it is needed', severity: 'high', status: 'ok', detail: 'allowed', fix: null },
  ...{ simulated: 'allowed', called: null },
  ...more,
})
const failed = { status: 'failed', detail: 'denied', fix: 'allow it' } as const
const run = (now: number, isGood = false) => ({ now, isGood, isOwn: (name: string) => !name.startsWith('level ') })

for (const [name, newPlace] of bothStores) {
  t.test(`${name}: a run replaces what the one before found, and says since when`, async (t) => {
    const db = await openStore(await newPlace())
    t.teardown(() => db.destroy())
    const store = createValidationStore(db)
    await store.put('hub', [found('a'), found('b'), found('c', failed)], run(100))
    await store.put('hub', [found('level x: sign-in', failed)], {
      ...run(110),
      isOwn: (one) => one.startsWith('level x'),
    })
    const again = await store.put('hub', [found('a'), found('c', { ...failed, detail: 'still' }), found('d')], run(200))
    t.match(again, [
      { check: 'a', since: 100, ranAt: 200 },
      { check: 'c', since: 100 },
      { check: 'd', since: 200 },
    ])
    const { items, total } = await readPage(store.list({ subject: 'hub' }), {})
    t.equal(total, 4)
    t.match(
      items.map(({ check, status, since, ranAt }) => [check, status, since, ranAt]),
      [
        ['a', 'ok', 100, 200],
        ['c', 'failed', 100, 200],
        ['d', 'ok', 200, 200],
        ['level x: sign-in', 'failed', 110, 200],
      ],
    )
    t.match(items[1], { detail: 'still', fix: 'allow it', simulated: 'allowed', called: null })
    await store.put('hub', [found('a'), found('c')], run(300))
    t.match(await readPage(store.list({ subject: 'hub', status: 'ok' }), {}), {
      items: [
        { check: 'a', since: 100 },
        { check: 'c', since: 300 },
      ],
    })
  })

  t.test(`${name}: pages neither skip nor repeat; subjects are counted; what is gone goes`, async (t) => {
    const db = await openStore(await newPlace())
    t.teardown(() => db.destroy())
    const store = createValidationStore(db)
    for (const subject of ['account/1', 'account/2', 'rules'])
      await store.put(subject, [found('a'), found('b', failed), found('c', { status: 'unknown' })], run(1, true))
    const seen: string[] = []
    let cursor: string | undefined
    do {
      const page = await readPage(store.list({}), { limit: 2, ...(cursor === undefined ? {} : { cursor }) })
      seen.push(...page.items.map(({ subject, check }) => `${subject} ${check}`))
      cursor = page.next ?? undefined
    } while (cursor !== undefined)
    t.equal(seen.length, 9)
    t.equal(new Set(seen).size, 9)
    const subjects = await readPage(await store.subjectList(['hub', 'rules']), {})
    t.match(subjects.items, [
      { subject: 'account/1', ranAt: 1, ok: 1, warnings: 0, failed: 1, unknown: 1 },
      { subject: 'account/2' },
      { subject: 'hub', ranAt: null, ok: 0, failed: 0 },
      { subject: 'rules', failed: 1 },
    ])
    t.same(await store.failing(), [{ severity: 'high', about: 'permission', count: 3 }])
    await store.remove(['account/1', 'rules'])
    t.same(
      (await store.subjects()).map(({ subject }) => subject),
      ['account/2'],
    )
    t.equal((await readPage(store.list({}), {})).total, 3)
  })

  t.test(`${name}: when all were asked for, and when an account was last good`, async (t) => {
    const db = await openStore(await newPlace())
    t.teardown(() => db.destroy())
    const store = createValidationStore(db)
    t.equal(await store.requestedAt(), 0)
    await store.request(50)
    await store.request(60)
    t.equal(await store.requestedAt(), 60)
    await store.put('account/1', [found('a')], run(10, true))
    await store.put('account/1', [found('a', failed)], run(20))
    t.match(await store.subject('account/1'), { good_at: 10, ran_at: 20 })
  })
}
