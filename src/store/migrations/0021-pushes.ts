import type { Kysely } from 'kysely'

/** What is asked of AWS for grants that AWS itself holds, and who is who there. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable('pushes')
    .addColumn('id', 'text', (c) => c.primaryKey())
    .addColumn('kind', 'text', (c) => c.notNull())
    .addColumn('region', 'text', (c) => c.notNull())
    .addColumn('instance', 'text', (c) => c.notNull())
    .addColumn('account', 'text')
    .addColumn('what', 'text', (c) => c.notNull())
    .addColumn('user_id', 'text', (c) => c.notNull())
    .addColumn('state', 'text', (c) => c.notNull())
    .addColumn('ownership', 'text')
    .addColumn('external_id', 'text')
    .addColumn('begun_at', 'bigint')
    .addColumn('underway', 'text')
    .addColumn('reason', 'text')
    .addColumn('lasting', 'integer', (c) => c.notNull())
    .addColumn('wanted_until', 'bigint', (c) => c.notNull())
    .addColumn('overdue_since', 'bigint')
    .addColumn('check_at', 'bigint', (c) => c.notNull())
    .addColumn('failures', 'integer', (c) => c.notNull())
    .addColumn('version', 'integer', (c) => c.notNull())
    .addColumn('mac', 'text')
    .execute()
  await db.schema.createIndex('pushes_state').on('pushes').column('state').execute()
  await db.schema
    .createTable('identity_center_links')
    .addColumn('id', 'text', (c) => c.primaryKey())
    .addColumn('user_id', 'text')
    .addColumn('user_name', 'text')
    .addColumn('found_by', 'text', (c) => c.notNull())
    .addColumn('linked_at', 'bigint', (c) => c.notNull())
    .addColumn('version', 'integer', (c) => c.notNull())
    .addColumn('mac', 'text')
    .execute()
}
