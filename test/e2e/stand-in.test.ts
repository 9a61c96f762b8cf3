/** What stands in for MariaDB in the demo: signing in, recording and revocation are those of the product, whatever answers behind. */
import { createConnection } from 'mysql2/promise'
import { test } from 'tap'
import { mysqlOf } from '../sandbox/sandbox.ts'
import { waitUntil } from '../wait-until.ts'
import { startCompany } from './company.ts'
import { issueMySqlToken, openMySql, rowsOf } from './mysql-client.ts'

test('the stand-in for MariaDB', async (t) => {
  const company = await startCompany({ sandbox: { mysql: 'stand-in' } })
  t.teardown(() => company.close())
  const { mariadb, shop } = mysqlOf(company.sandbox)
  const grant = await company.grant(3_600_000, 'shop')

  await t.test('a few statements, each on record, and every other says what it is', async (t) => {
    const { connection, sessionId } = await openMySql(company)
    t.same(await rowsOf(connection, 'select id, status from orders order by id limit 2'), [
      { id: 1, status: 'delivered' },
      { id: 2, status: 'shipped' },
    ])
    t.match(await rowsOf(connection, 'select @@version'), [{ '@@version': /stand-in/ }])
    await t.rejects(connection.query('delete from orders'), { errno: 1142, message: /DELETE command denied/ })
    await t.rejects(connection.query('select * from customers'), { errno: 1235, message: /small stand-in for MariaDB/ })
    await t.rejects(connection.execute('select 1'), { errno: 1235, message: /small stand-in/ })
    await connection.end()
    const played = async () => (await company.commands.carol.run(['recordings', 'play', sessionId])).stdout
    await waitUntil(
      async () => /delete from orders[\s\S]*select \* from customers/.test(await played()),
      'it is on record',
    )
  })

  await t.test('without a token that RDS believes nobody gets that far', async (t) => {
    shop.faults.refuse(true)
    await t.rejects(openMySql(company), { message: /the target refused the broker/ })
    shop.faults.refuse(false)
  })

  await t.test('a revocation ends what runs, on proof', async (t) => {
    const { host, port, user, token } = await issueMySqlToken(company)
    const ssl = { ca: company.sandbox.authority.cert }
    const connection = await createConnection({ host, port, user, password: token, database: 'orders', ssl })
    connection.on('error', () => {})
    const failed = t.rejects(connection.query('select sleep(600)'), { errno: 1053, message: /incident 43/ })
    const runs = async () => (await mariadb.query('processlist', ['%sleep(600)%'])).length > 0
    await waitUntil(runs, 'it runs')
    await company.api('bob', 'POST', `/api/v1/grants/${grant.id}/revoke`, { reason: 'incident 43' })
    await failed
    await waitUntil(async () => !(await runs()), 'it has ended')
    const isTold = async () => {
      const query = '/api/v1/audit/events?type=session.ended'
      const { events } = await company.api<{ events: { fields: object }[] }>('carol', 'GET', query)
      return JSON.stringify(events[0]?.fields).includes('"unfinished":"ended"')
    }
    await waitUntil(isTold, 'the log says that it was ended')
  })
})
