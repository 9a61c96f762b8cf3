/** What was done with grants, as the books of sessions say it, on both stores. */
import t from 'tap'
import { createAccessStore } from '../../../src/access/rows/access-store.ts'
import { createSessionStore, justOpened } from '../../../src/sessions/session-store.ts'
import { createGrantUse } from '../../../src/sessions/session-usage.ts'
import { openStore } from '../../../src/store/store.ts'
import { keys } from '../inventory/inventory-setup.ts'
import { bothStores } from '../store/both-stores.ts'

const at = 1_800_000_000_000
const end = { reason: 'client', bytesUp: 1, bytesDown: 2, digest: null, entries: 0 }

function session(id: string, grant_id: string) {
  return {
    ...justOpened,
    ...{ id, grant_id, request_id: 'req_1', principal_id: 'prn_1', principal_name: 'alice@example.com' },
    ...{ resource_id: 'rds-postgres/111122223333/eu-west-1/orders', kind: 'rds-postgres', level: 'readonly' },
    ...{ credential_kind: 'login' as const, credential_id: 'lgn_1', daemon_id: 'dmn_1', tool: null },
    ...{ client_address: '127.0.0.1', client_via: 'listener', opened_at: at, ends_at: at + 3_600_000 },
  } as const
}

for (const [name, newPlace] of bothStores)
  t.test(`${name}: first and last use, and grants that were never used`, async (t) => {
    const db = await openStore(await newPlace())
    t.teardown(() => db.destroy())
    const books = createSessionStore(db, keys)
    const useOf = createGrantUse(db)
    const write = (id: string, grant: string) => db.executeQuery(books.inserting(session(id, grant)))
    for (const [id, grant] of [
      ['ses_1', 'grt_a'],
      ['ses_2', 'grt_a'],
      ['ses_3', 'grt_a'],
      ['ses_4', 'grt_b'],
    ] as const)
      await write(id, grant)
    t.same(await useOf(['grt_a', 'grt_b', 'grt_c']), new Map(), 'none has reached its target')
    await books.started(
      new Map([
        ['ses_1', { at: at + 10, detail: '{}' }],
        ['ses_2', { at: at + 20, detail: '{}' }],
      ]),
    )
    await books.ended('ses_1', { ...end, endedAt: at + 15 })
    await books.ended('ses_3', { ...end, endedAt: at + 500 })
    const used = { sessions: 2, open: 1, firstAt: at + 10, lastAt: at + 20 }
    t.same(await useOf(['grt_a', 'grt_b']), new Map([['grt_a', used]]))
    await books.ended('ses_2', { ...end, endedAt: at + 99 })
    t.same(await useOf(['grt_a']), new Map([['grt_a', { ...used, open: 0, lastAt: at + 99 }]]))
    t.same(await useOf([]), new Map())
    const grants = createAccessStore(db, keys)
    t.same(await grants.listGrants({ all: true, used: false }, undefined, 10), [])
    t.equal(await grants.countGrants({ used: true }, 10), 0)
  })
