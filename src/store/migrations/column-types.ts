import { type Kysely, PostgresAdapter } from 'kysely'

/** The column type of bytes, which has no name of its own that both stores know. */
export function bytes(db: Kysely<unknown>): 'bytea' | 'blob' {
  return db.getExecutor().adapter instanceof PostgresAdapter ? 'bytea' : 'blob'
}
