import type { Kysely } from 'kysely'

/** Session tags, frozen in requests and grants, and the claims of people that they are made of. Null in earlier rows, so that their MACs stay. */
export async function up(db: Kysely<unknown>): Promise<void> {
  for (const table of ['requests', 'grants'])
    await db.schema.alterTable(table).addColumn('session_tags', 'text').execute()
  await db.schema.alterTable('principals').addColumn('tag_claims', 'text').execute()
}
