import type { Kysely } from 'kysely'

/** What the last checks found. It gives nothing, and has no MAC. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable('validation_subjects')
    .addColumn('subject', 'text', (c) => c.primaryKey())
    .addColumn('ran_at', 'bigint')
    .addColumn('requested_at', 'bigint')
    .addColumn('good_at', 'bigint')
    .execute()
  await db.schema
    .createTable('validations')
    .addColumn('subject', 'text', (c) => c.notNull())
    .addColumn('name', 'text', (c) => c.notNull())
    .addColumn('about', 'text', (c) => c.notNull())
    .addColumn('why', 'text', (c) => c.notNull())
    .addColumn('severity', 'text', (c) => c.notNull())
    .addColumn('status', 'text', (c) => c.notNull())
    .addColumn('simulated', 'text')
    .addColumn('called', 'text')
    .addColumn('detail', 'text', (c) => c.notNull())
    .addColumn('fix', 'text')
    .addColumn('since', 'bigint', (c) => c.notNull())
    .addPrimaryKeyConstraint('validations_pk', ['subject', 'name'])
    .execute()
  await db.schema.createIndex('validations_status').on('validations').columns(['status', 'severity']).execute()
}
