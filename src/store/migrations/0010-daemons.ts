import type { Kysely } from 'kysely'

export async function up(db: Kysely<{ leader: object }>): Promise<void> {
  await db.schema
    .createTable('daemons')
    .addColumn('id', 'text', (c) => c.primaryKey())
    .addColumn('run', 'text', (c) => c.notNull())
    .addColumn('number', 'integer', (c) => c.notNull())
    .addColumn('name', 'text', (c) => c.notNull())
    .addColumn('url', 'text')
    .addColumn('version', 'text', (c) => c.notNull())
    .addColumn('started_at', 'bigint', (c) => c.notNull())
    .addColumn('heartbeat_at', 'bigint', (c) => c.notNull())
    .addColumn('patience_ms', 'integer', (c) => c.notNull())
    .addColumn('lost_at', 'bigint')
    .addColumn('rules_digest', 'text')
    .addColumn('key_ids', 'text', (c) => c.notNull())
    .addColumn('mac', 'text', (c) => c.notNull())
    .execute()
  await db.schema
    .createTable('leader')
    .addColumn('id', 'integer', (c) => c.primaryKey())
    .addColumn('run', 'text', (c) => c.notNull())
    .addColumn('epoch', 'bigint', (c) => c.notNull())
    .addColumn('expires_at', 'bigint', (c) => c.notNull())
    .execute()
  await db.insertInto('leader').values({ id: 1, run: '', epoch: 0, expires_at: 0 }).execute()
}
