import { createConnection } from 'mysql2/promise'
import t from 'tap'
import { rdsMysql } from '../../../../src/kinds/rds-mysql/kind.ts'
import { skipWithoutMariaDb, startMariaDb } from '../../../sandbox/mysql/mariadb.ts'
import { preparedSteps } from '../rds/prepared-steps.ts'

const prepared = (levels: Record<string, object>, attributes?: object) => preparedSteps(rdsMysql, levels, attributes)

/** Which statements would run: comments left out. */
function sqlOf(text = ''): string[] {
  return text.split('\n').filter((line) => !line.startsWith('--'))
}

t.test('IAM authentication is turned on first, and each database user is made once', async (t) => {
  const [iam, ...users] = prepared({
    readonly: { db_user: 'app_ro', databases: ['orders', 'billing'] },
    support: { db_user: 'app_ro', databases: ['orders'], read_only: true },
    admin: { db_user: 'app_rw' },
  })
  t.match(iam, { language: 'sh', levels: [], text: '--enable-iam-database-authentication' })
  t.match(users, [{ levels: ['readonly', 'support'] }, { levels: ['admin'] }])
  t.equal(users.length, 2)
  t.same(sqlOf(users[0]?.text), [
    "CREATE USER IF NOT EXISTS `app_ro`@`%` IDENTIFIED WITH AWSAuthenticationPlugin AS 'RDS' REQUIRE SSL;",
    'GRANT SELECT, SHOW VIEW ON `orders`.* TO `app_ro`@`%`;',
    'GRANT SELECT, SHOW VIEW ON `billing`.* TO `app_ro`@`%`;',
    'SHOW GRANTS FOR `app_ro`@`%`;',
  ])
  t.match(users[1]?.text, 'GRANT SELECT, SHOW VIEW, INSERT, UPDATE, DELETE ON `orders`.* TO `app_rw`@`%`;')
  t.match(users[1]?.text, '-- GRANT SELECT, SHOW VIEW, INSERT, UPDATE, DELETE ON `DATABASE`.* TO `app_rw`@`%`;')
  t.match(users[1]?.what, 'on orders, and likewise on every other database that the level is for, with mysql as an')
})

t.test('a user that is also of a level for writing may write, unless that level is read_only', async (t) => {
  const writing = (admin: object) => /INSERT/.test(prepared({ readonly: { db_user: 'app' }, admin })[1]?.text ?? '')
  t.ok(writing({ db_user: 'app' }))
  t.notOk(writing({ db_user: 'app', read_only: true }))
})

t.test('without a database, none is granted, nor all of them', async (t) => {
  const [, step] = prepared({ readonly: { db_user: 'ro' } }, { database: undefined })
  t.same(sqlOf(step?.text).length, 2)
  t.match(step?.what, 'on your databases')
})

t.test(
  'MariaDB takes the statements, twice, and they give what the level is for',
  { skip: skipWithoutMariaDb() },
  async (t) => {
    const server = await startMariaDb()
    t.teardown(() => server.close())
    const names = ['orders', 'a`b', 'it_s', "q'; DROP DATABASE billing; -- x", 'back\\slash', '100%']
    for (const name of names.slice(1)) await server.query('CREATE DATABASE ??', [name])
    for (const name of ['itXs', 'backXslash', '100X']) await server.query('CREATE DATABASE ??', [name])
    const steps = prepared(
      { readonly: { db_user: 'made_ro', databases: names }, admin: { db_user: 'made_rw', databases: ['orders'] } },
      { database: undefined },
    )
    // MariaDB of this machine has no AWSAuthenticationPlugin, so that clause alone is replaced; and its socket needs no TLS.
    const [created = ''] = sqlOf(steps[1]?.text)
    await t.rejects(server.query(created), { code: 'ER_PLUGIN_IS_NOT_LOADED' }, 'the clause is understood')
    const iam = "IDENTIFIED WITH AWSAuthenticationPlugin AS 'RDS' REQUIRE SSL"
    for (const _ of ['once', 'again'])
      for (const { text } of steps.slice(1)) {
        t.match(text, iam)
        for (const sql of sqlOf(text)) await server.query(sql.replace(iam, "IDENTIFIED BY 'made'"))
      }
    const signedIn = async (user: string) => {
      const connection = await createConnection({ socketPath: server.socketPath, user, password: 'made' })
      t.teardown(() => connection.end())
      return connection
    }
    const reader = await signedIn('made_ro')
    for (const name of names) await reader.query('USE ??', [name])
    for (const name of ['itXs', 'backXslash', '100X', 'billing', 'mysql'])
      await t.rejects(reader.query('USE ??', [name]), { code: 'ER_DBACCESS_DENIED_ERROR' }, name)
    await reader.query('SELECT id FROM orders.customers')
    await reader.query('SHOW CREATE VIEW orders.late')
    for (const sql of [
      'DELETE FROM orders.orders',
      'CREATE TABLE orders.made (id int)',
      'LOCK TABLES orders.orders READ',
    ])
      await t.rejects(reader.query(sql), { code: /^ER_(TABLE|DB)ACCESS_DENIED_ERROR$/ }, sql)
    const writer = await signedIn('made_rw')
    await writer.query('UPDATE orders.orders SET quantity = 2 WHERE id = 1')
    await t.rejects(writer.query('DROP TABLE orders.orders'), { code: 'ER_TABLEACCESS_DENIED_ERROR' })
    await t.rejects(writer.query("SELECT 1 INTO OUTFILE '/tmp/never'"), { code: 'ER_SPECIFIC_ACCESS_DENIED_ERROR' })
  },
)
