import type { Kysely } from 'kysely'

/** What people sign in to targets as, in the directory, and frozen in requests and grants. Null in earlier rows, so that their MACs stay. */
export async function up(db: Kysely<unknown>): Promise<void> {
  for (const table of ['principals', 'requests', 'grants'])
    await db.schema.alterTable(table).addColumn('login_name', 'text').execute()
  await db.schema.alterTable('principals').addColumn('login_claim', 'text').execute()
  await db.schema.createIndex('principals_login_name').on('principals').column('login_name').execute()
}
