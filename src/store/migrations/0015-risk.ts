import type { Kysely } from 'kysely'

/** What was found in AWS about a resource. Null in earlier rows, so that their MACs stay. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await db.schema.alterTable('discovered').addColumn('risk', 'text').execute()
}
