import type { Kysely } from 'kysely'
import { bytes } from './column-types.ts'

/** What several daemons on one store must count and spend together. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable('one_time_secrets')
    .addColumn('digest', 'text', (c) => c.primaryKey())
    .addColumn('purpose', 'text', (c) => c.notNull())
    .addColumn('alias', 'text', (c) => c.unique())
    .addColumn('network', 'text', (c) => c.notNull())
    .addColumn('payload', bytes(db), (c) => c.notNull())
    .addColumn('tries', 'integer', (c) => c.notNull())
    .addColumn('polled_at', 'bigint', (c) => c.notNull())
    .addColumn('expires_at', 'bigint', (c) => c.notNull())
    .execute()
  await db.schema
    .createIndex('one_time_secrets_network')
    .on('one_time_secrets')
    .columns(['purpose', 'network', 'expires_at'])
    .execute()
  await db.schema.createIndex('one_time_secrets_expiry').on('one_time_secrets').column('expires_at').execute()
  await db.schema
    .createTable('request_counts')
    .addColumn('bucket', 'integer', (c) => c.primaryKey())
    .addColumn('count', 'bigint', (c) => c.notNull())
    .addColumn('until', 'bigint', (c) => c.notNull())
    .execute()
  await db.schema.alterTable('logins').addColumn('refreshing_until', 'bigint').execute()
}
