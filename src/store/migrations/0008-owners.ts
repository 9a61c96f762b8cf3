import type { Kysely } from 'kysely'

export async function up(db: Kysely<unknown>): Promise<void> {
  await db.schema.createIndex('principals_owner').on('principals').column('owner_id').execute()
}
