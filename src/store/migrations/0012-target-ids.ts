import type { Kysely } from 'kysely'

/** What the target of a request and of its grant was. Null in earlier rows, so that their MACs stay as they are. */
export async function up(db: Kysely<unknown>): Promise<void> {
  for (const table of ['requests', 'grants']) await db.schema.alterTable(table).addColumn('target_id', 'text').execute()
}
