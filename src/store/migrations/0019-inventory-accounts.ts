import type { Kysely } from 'kysely'

/** How the readings of an account's units went. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable('inventory_accounts')
    .addColumn('account', 'text', (c) => c.primaryKey())
    .addColumn('units', 'text', (c) => c.notNull())
    .addColumn('requested_at', 'bigint')
    .addColumn('written_at', 'bigint', (c) => c.notNull())
    .execute()
}
