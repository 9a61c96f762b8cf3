import type { Kysely } from 'kysely'

/** What is discovered of AWS, and of each scope when that was. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable('discovered')
    .addColumn('id', 'text', (c) => c.primaryKey())
    .addColumn('scope', 'text', (c) => c.notNull())
    .addColumn('kind', 'text', (c) => c.notNull())
    .addColumn('partition', 'text', (c) => c.notNull())
    .addColumn('organization', 'text')
    .addColumn('account', 'text')
    .addColumn('region', 'text')
    .addColumn('tags', 'text', (c) => c.notNull())
    .addColumn('attributes', 'text', (c) => c.notNull())
    .addColumn('first_seen_at', 'bigint', (c) => c.notNull())
    .addColumn('last_seen_at', 'bigint', (c) => c.notNull())
    .addColumn('missing_passes', 'integer', (c) => c.notNull())
    .addColumn('mac', 'text', (c) => c.notNull())
    .execute()
  await db.schema.createIndex('discovered_scope').on('discovered').columns(['scope', 'id']).execute()
  await db.schema
    .createTable('inventory_scopes')
    .addColumn('scope', 'text', (c) => c.primaryKey())
    .addColumn('organization', 'text')
    .addColumn('good_at', 'bigint')
    .addColumn('tried_at', 'bigint')
    .addColumn('requested_at', 'bigint')
    .addColumn('error', 'text')
    .addColumn('fix', 'text')
    .execute()
}
