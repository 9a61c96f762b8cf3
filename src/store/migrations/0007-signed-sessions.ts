import type { Kysely } from 'kysely'

/** Null in rows that were there before: those hold as far as the audit log says the same. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await db.schema.alterTable('sessions').addColumn('mac', 'text').execute()
  await db.schema.alterTable('role_credentials').addColumn('mac', 'text').execute()
}
