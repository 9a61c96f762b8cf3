import type { Kysely } from 'kysely'

/** How much of which limit was used at each of several daemons. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable('shared_counts')
    .addColumn('key', 'text', (c) => c.notNull())
    .addColumn('daemon_id', 'text', (c) => c.notNull())
    .addColumn('amount', 'bigint', (c) => c.notNull())
    .addColumn('until', 'bigint', (c) => c.notNull())
    .addPrimaryKeyConstraint('shared_counts_key', ['key', 'daemon_id'])
    .execute()
}
