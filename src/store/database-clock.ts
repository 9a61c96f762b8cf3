import { PostgresAdapter, type RawBuilder, sql } from 'kysely'
import type { Db } from './store.ts'

/** Now by the clock of the database, which every daemon on it has in common: epoch milliseconds, within a statement. */
export function databaseNow(db: Db): RawBuilder<number> {
  return db.getExecutor().adapter instanceof PostgresAdapter
    ? sql<number>`(extract(epoch from clock_timestamp()) * 1000)::int8`
    : sql<number>`cast(unixepoch('subsec') * 1000 as integer)`
}
