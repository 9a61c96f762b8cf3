import t from 'tap'
import { rdsPostgres } from '../../../../src/kinds/rds-postgres/kind.ts'
import { startPostgres } from '../../../sandbox/postgres.ts'
import { preparedSteps } from './prepared-steps.ts'

const prepared = (levels: Record<string, object>, attributes?: object) => preparedSteps(rdsPostgres, levels, attributes)

t.test('IAM authentication is turned on for the instance or the cluster that the resource id names', async (t) => {
  const levels = { readonly: { db_user: 'ro' } }
  const [instance] = prepared(levels)
  t.match(instance, { language: 'sh', levels: [] })
  t.match(instance?.text, `describe-db-instances --region eu-west-1 --query "DBInstances[?DbiResourceId=='db-ORDERS']`)
  t.match(instance?.text, '--db-instance-identifier "$name" --enable-iam-database-authentication')
  const [cluster] = prepared(levels, { resource_id: 'cluster-ORDERS' })
  t.match(cluster?.text, 'modify-db-cluster --region eu-west-1 --db-cluster-identifier "$name"')
  const [proxy] = prepared(levels, {
    endpoint: 'orders.proxy-abc123.eu-west-1.rds.amazonaws.com',
    resource_id: 'prx-ORDERS',
  })
  t.notMatch(proxy?.text, 'enable-iam')
})

t.test('with via, the session document of the tunnels is made, too', async (t) => {
  const via = 'ec2-instance/111122223333/eu-west-1/i-0123456789abcdef0'
  const [, document] = prepared({ readonly: { db_user: 'ro' } }, { via })
  t.match(document, { language: 'sh', levels: [], what: /Sallyport-PortDatabase/ })
  t.match(document?.text, 'create-document --region eu-west-1 --name Sallyport-PortDatabase')
})

t.test('each database user is made once, for the levels that share it', async (t) => {
  const [, ...users] = prepared({
    readonly: { db_user: 'app_ro', databases: ['orders', 'a"b'] },
    read: { db_user: 'app_ro', databases: ['orders'] },
    admin: { db_user: 'app_rw' },
  })
  t.match(users, [{ levels: ['readonly', 'read'] }, { levels: ['admin'] }])
  t.equal(users.length, 2)
  const [reader = '', writer = ''] = users.map(({ text }) => text)
  t.match(reader, 'CREATE ROLE "app_ro" LOGIN;')
  t.match(reader, 'GRANT rds_iam TO "app_ro";')
  t.match(reader, 'ALTER ROLE "app_ro" SET default_transaction_read_only = on;')
  t.notMatch(writer, 'default_transaction_read_only')
  t.match(reader, 'GRANT CONNECT ON DATABASE "a""b" TO "app_ro";')
  t.notMatch(reader, /INSERT|DELETE/)
  t.match(writer, 'GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES')
  t.match(users[1]?.what, 'on orders, and likewise on every other database')
})

t.test('a user that is also of a level for writing may write', async (t) => {
  const [, shared] = prepared({ readonly: { db_user: 'app' }, admin: { db_user: 'app' } })
  t.match(shared?.text, 'UPDATE')
})

t.test('PostgreSQL takes the statements, twice, and the reader can read alone', async (t) => {
  const server = await startPostgres()
  t.teardown(() => server.close())
  await server.query('postgres', 'CREATE TABLE prepared (id int)')
  const [, step] = prepared({ readonly: { db_user: 'app_ro' } }, { database: 'postgres' })
  const statements = step?.text.split('\n').filter((line) => !line.startsWith('\\') && !line.startsWith('--')) ?? []
  for (const _ of ['once', 'again']) await server.query('postgres', statements.join('\n'))
  const [, odd] = prepared({ readonly: { db_user: 'a$$b$role$' } }, { database: 'postgres' })
  await server.query('postgres', odd?.text.split('\n')[0] ?? '')
  t.equal((await server.query('postgres', "SELECT FROM pg_roles WHERE rolname = 'a$$b$role$'")).rowCount, 1)
  const may = async (sql: string) => (await server.query('postgres', sql)).rows[0]?.ok
  t.equal(await may("SELECT has_table_privilege('app_ro', 'prepared', 'SELECT') AS ok"), true)
  t.equal(await may("SELECT has_table_privilege('app_ro', 'prepared', 'INSERT') AS ok"), false)
  await server.query('postgres', 'CREATE TABLE later (id int)')
  t.equal(await may("SELECT has_table_privilege('app_ro', 'later', 'SELECT') AS ok"), true)
})
