import type { Kysely } from 'kysely'

/** What was done with a grant is asked by its sessions. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await db.schema.createIndex('sessions_grant').on('sessions').columns(['grant_id', 'started_at']).execute()
}
