import { type CompiledQuery, sql } from 'kysely'
import t, { type Test } from 'tap'
import type { Db } from '../../../src/store/store.ts'
import { created, openAudit } from './start-audit.ts'

async function openWithRows(test: Test) {
  const opened = await openAudit(test)
  await sql`create table numbers (n integer primary key)`.execute(opened.db)
  return opened
}

function add(db: Db, n: number): CompiledQuery {
  return sql`insert into numbers (n) values (${n})`.compile(db)
}

async function numbers(db: Db): Promise<number[]> {
  const { rows } = await sql<{ n: number }>`select n from numbers order by n`.execute(db)
  return rows.map(({ n }) => n)
}

t.test('a row is stored with its event, or neither is', async (t) => {
  const { audit, db } = await openWithRows(t)
  await audit.append(created('grt_1'), [add(db, 1)])
  await t.rejects(audit.append(created('grt_2'), [add(db, 2), add(db, 1)]), { code: 'AUDIT_UNAVAILABLE' })
  t.same(await numbers(db), [1])
  const { events } = await audit.search({ types: ['grant.created'] })
  t.same(
    events.map(({ fields }) => fields.grant),
    ['grt_1'],
  )
})

t.test('a row that is refused takes no other event with it', async (t) => {
  const { audit, db } = await openWithRows(t)
  const results = await Promise.allSettled([
    audit.append(created('grt_1'), [add(db, 1)]),
    audit.append(created('grt_2'), [add(db, 1)]),
    audit.append(created('grt_3')),
    audit.append(created('grt_4'), [add(db, 4)]),
  ])
  t.same(
    results.map(({ status }) => status),
    ['fulfilled', 'rejected', 'fulfilled', 'fulfilled'],
  )
  t.same(await numbers(db), [1, 4])
  await audit.checkpoint()
  t.match(await audit.verify(), { problems: [] })
})

t.test('a row is stored although its event goes to the spool', async (t) => {
  const { audit, db } = await openWithRows(t)
  await sql`alter table audit_head rename to away`.execute(db)
  await audit.appendRemoval(created('grt_1'), [add(db, 1)])
  t.equal(audit.spooled().length, 1)
  t.same(await numbers(db), [1])
  await sql`alter table away rename to audit_head`.execute(db)
})
