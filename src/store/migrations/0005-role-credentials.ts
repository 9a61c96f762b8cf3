import type { Kysely } from 'kysely'

export async function up(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable('role_credentials')
    .addColumn('access_key_id', 'text', (c) => c.primaryKey())
    .addColumn('session_id', 'text', (c) => c.notNull())
    .addColumn('grant_id', 'text', (c) => c.notNull())
    .addColumn('principal_id', 'text', (c) => c.notNull())
    .addColumn('credential_id', 'text', (c) => c.notNull())
    .addColumn('resource_id', 'text', (c) => c.notNull())
    .addColumn('partition', 'text', (c) => c.notNull())
    .addColumn('account', 'text', (c) => c.notNull())
    .addColumn('role_arn', 'text', (c) => c.notNull())
    .addColumn('session_name', 'text', (c) => c.notNull())
    .addColumn('source_identity', 'text')
    .addColumn('issued_at', 'bigint', (c) => c.notNull())
    .addColumn('works_until', 'bigint', (c) => c.notNull())
    .addColumn('revocable', 'integer', (c) => c.notNull())
    .addColumn('doomed_at', 'bigint')
    .addColumn('doomed_by', 'text')
    .addColumn('settled_at', 'bigint')
    .execute()
  await db.schema.createIndex('role_credentials_working').on('role_credentials').column('works_until').execute()
  await db.schema
    .createIndex('role_credentials_source')
    .on('role_credentials')
    .columns(['account', 'source_identity', 'issued_at'])
    .execute()
}
