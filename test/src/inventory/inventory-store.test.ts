/** Rows of the inventory, on both stores. */
import t from 'tap'
import { createInventoryStore, type Discovered } from '../../../src/inventory/inventory-store.ts'
import { openStore } from '../../../src/store/store.ts'
import { resource } from '../access/access-setup.ts'
import { bothStores } from '../store/both-stores.ts'
import { keys } from './inventory-setup.ts'

const one: Discovered = {
  resource: resource('account/111122223333', {
    account: '111122223333',
    region: null,
    organization: 'o-exampleorgid',
    tags: { 'cost center': '42', '': 'Ünï "quoted"' },
    attributes: { title: "shop, O'Neil", parent: 'r-ab12', state: 'ACTIVE' },
    source: 'discovery',
  }),
  scope: 'organization',
  firstSeenAt: 1_764_000_000_000,
  lastSeenAt: 1_764_000_000_001,
  missingPasses: 0,
}

const risky: Discovered = {
  ...one,
  resource: {
    ...one.resource,
    id: 'account/999900001111',
    account: '999900001111',
    name: '999900001111',
    risk: [
      { code: 'public', severity: 'high', reason: 'Ünï "quoted"', fix: 'close it' },
      { code: 'unused', severity: 'low', reason: 'not used since 2026-01-02' },
    ],
  },
}

for (const [name, newPlace] of bothStores) {
  t.test(`${name}: what is put is read as it was, and put over`, async (t) => {
    const db = await openStore(await newPlace())
    t.teardown(() => db.destroy())
    const store = createInventoryStore(db, keys)
    await db.executeQuery(store.putting(one))
    t.same(await store.all(), [one])
    await db.executeQuery(store.putting(risky))
    t.same(await store.all(), [one, risky])
    await db.executeQuery(store.removing([risky.resource.id]))
    const later = { ...one, lastSeenAt: one.lastSeenAt + 1, missingPasses: 1 }
    await db.executeQuery(store.putting(later))
    t.same(await store.byIds([one.resource.id, 'account/999900001111']), [later])
    await db.executeQuery(store.removing([one.resource.id]))
    t.same(await store.all(), [])
  })

  t.test(`${name}: a request stays until a pass that began after it`, async (t) => {
    const db = await openStore(await newPlace())
    t.teardown(() => db.destroy())
    const store = createInventoryStore(db, keys)
    const row = { scope: 'organization', organization: 'o-exampleorgid', error: null, fix: null }
    await store.request('organization', 100)
    t.match(await store.scopes(), [{ requested_at: 100, good_at: null }])
    await db.executeQuery(store.puttingScope({ ...row, good_at: 90, tried_at: 90 }, 90))
    t.match(await store.scope('organization'), { requested_at: 100, good_at: 90 })
    await db.executeQuery(store.puttingScope({ ...row, good_at: 100, tried_at: 100 }, 100))
    t.match(await store.scope('organization'), { requested_at: null, good_at: 100 })
  })
}
