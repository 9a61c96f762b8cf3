import { sql } from 'kysely'
import t from 'tap'
import { createAuditStore } from '../../../src/audit/audit-store.ts'
import { storeSource } from '../../../src/audit/verify/store-source.ts'
import { type Db, openStore } from '../../../src/store/store.ts'
import { postgresPlace } from '../store/both-stores.ts'

const events = 5000

/** Nothing here verifies: only how much the server reads for a page counts. */
async function openFilled(): Promise<Db> {
  const db = await openStore(await postgresPlace({ connections: 1 }))
  const seqs = sql`generate_series(1, ${sql.lit(events)}) as seq`
  await sql`insert into audit_events select seq, 0, 'x', 'x', '{}', 'x', 'x', 'x' from ${seqs}`.execute(db)
  await sql`insert into audit_texts select seq, 'x', '{}' from ${seqs}`.execute(db)
  await sql`insert into audit_subjects select 'x', seq from ${seqs}`.execute(db)
  await sql`insert into audit_head (id, installation, seq, hash) values (1, 'x', ${events}, 'x')`.execute(db)
  return db
}

async function textsRead(db: Db): Promise<number> {
  await sql`select pg_stat_force_next_flush()`.execute(db)
  const counts = sql<{ read: string }>`
    select seq_tup_read + coalesce(idx_tup_fetch, 0) as read from pg_stat_user_tables where relname = 'audit_texts'`
  return Number((await counts.execute(db)).rows[0]?.read)
}

t.test('B: a page of the log reads its own texts, however long the log is before or behind it', async (t) => {
  const db = await openFilled()
  t.teardown(() => db.destroy())
  const store = createAuditStore(db)
  const reads: readonly (readonly [string, () => Promise<readonly unknown[]>])[] = [
    ['page', () => store.page(4000, 50)],
    ['indexedPage', () => store.indexedPage(4000, 50)],
    ['headAndEvents', async () => (await store.headAndEvents(4951, 50)).events],
    ['search', async () => (await store.search({ limit: 50, cursor: '1000' })).events],
  ]
  await sql`analyze`.execute(db) // as the server does by itself within a minute
  for (const [name, read] of reads) {
    const before = await textsRead(db)
    t.equal((await read()).length, 50, name)
    const count = (await textsRead(db)) - before
    t.ok(count >= 50 && count <= 200, `${name}: ${count} texts read`)
  }
})

t.test('B: rows that belong to no event are looked for by their numbers', async (t) => {
  const db = await openFilled()
  t.teardown(() => db.destroy())
  await sql`delete from audit_events where seq = 77`.execute(db)
  await sql`set work_mem = '64kB'`.execute(db) // a list of the numbers does not fit, as it would not in a large log
  await sql`set statement_timeout = 3000`.execute(db)
  const problems = await storeSource(createAuditStore(db), db).problems()
  t.strictSame(
    problems.map(({ where, at }) => [where, at]),
    [
      ['text', 77],
      ['subjects', 77],
    ],
  )
})
