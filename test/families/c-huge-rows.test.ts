/** Rows that someone made huge, or many, who can write to the store: an answer is never longer than it may be. */
import { sql } from 'kysely'
import t from 'tap'
import { openStore } from '../../src/store/store.ts'
import { postgresPlace } from '../src/store/both-stores.ts'

t.test('C: an answer of the store that is too long ends its connection, not the daemon', async (t) => {
  const { url, postgres } = await postgresPlace()
  if (!postgres) throw new Error('it is a place of PostgreSQL')
  const db = await openStore({ url, postgres: { ...postgres, statementTimeoutMs: 60_000 } })
  t.teardown(() => db.destroy())
  const before = process.memoryUsage().rss
  const tooLong = { code: 'STORE_UNAVAILABLE', message: /an answer of the server is longer than 64 MiB/ }
  const huge = sql`select repeat('x', 80000000)`
  await t.rejects(huge.execute(db), tooLong, 'one row')
  const many = sql`select repeat('y', 100) from generate_series(1, 2000) a, generate_series(1, 2000) b`
  await t.rejects(many.execute(db), tooLong, 'many rows')
  t.ok(process.memoryUsage().rss - before < 1.5e9)
  for (let i = 0; i < 2; i++) {
    const { rows } = await sql<{ text: string }>`select repeat('z', 40000000) as text`.execute(db)
    t.equal(rows[0]?.text.length, 40_000_000, 'what is shorter is read, again and again')
  }
})
