import type { Kysely } from 'kysely'

/** How the queue of events stands, and the probes that came through it. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable('event_notes')
    .addColumn('name', 'text', (c) => c.primaryKey())
    .addColumn('noted_at', 'bigint', (c) => c.notNull())
    .addColumn('error', 'text')
    .addColumn('fix', 'text')
    .execute()
}
