/** A MySQL database that only an instance reaches. */
import t from 'tap'
import { shopId } from '../sandbox/daemon-files.ts'
import { accounts, arns, bastions, region } from '../sandbox/default-world.ts'
import { skipUnlessLong } from '../sandbox/mysql/mariadb.ts'
import { mysqlOf, startSandbox } from '../sandbox/sandbox.ts'
import { waitUntil } from '../wait-until.ts'
import { companyIn } from './company.ts'
import { openMySql, rowsOf } from './mysql-client.ts'

const absent = skipUnlessLong()
if (absent) t.plan(0, absent)
else await testVia()

async function testVia(): Promise<void> {
  const sandbox = await startSandbox({ mysql: {} })
  t.teardown(() => sandbox.close())
  const { aws, caFile } = sandbox
  const { shop, mariadb } = mysqlOf(sandbox)
  const { endpoint, listenPort } = shop
  for (const { reaches } of aws.world.instances)
    reaches[`${endpoint.host}:${endpoint.port}`] = { host: '127.0.0.1', port: listenPort } // its name does not resolve here
  const company = await companyIn(sandbox, {
    overrides: {
      resources: [
        {
          id: shopId,
          endpoint: endpoint.host,
          resource_id: endpoint.resourceId,
          database: 'orders',
          ca: caFile,
          role: arns.databases,
          tags: { env: 'prod', team: 'shop' },
          via: `ec2-instance/${accounts.data}/${region}/${bastions.first}`,
        },
      ],
      access: [
        {
          name: 'engineers-change-the-shop',
          who: { groups: ['engineering'] },
          what: { ids: [shopId] },
          levels: ['admin'],
          max_duration: '8h',
          require: { reason: true },
          approval: { stages: [{ any_of: ['group:database-owners'], count: 1 }] },
        },
      ],
    },
  })
  t.teardown(() => company.daemon.stop())

  await t.test('statements, and a revocation that ends what runs by a second stream', async (t) => {
    const { id } = await company.grant(3_600_000, 'shop', 'admin')
    const { connection, lost } = await openMySql(company)
    t.same(await rowsOf(connection, "select length(repeat('x', 300000)) as length"), [{ length: 300_000 }])
    t.match(aws.ssm.sessions, [{ target: bastions.first, parameters: { host: endpoint.host, portNumber: '3306' } }])
    const sleeping = rowsOf(connection, 'select sleep(600) as cut_long').catch((error: Error) => error.message)
    const runs = async () =>
      (await mariadb.query('select 1 from information_schema.processlist where info like ?', ['select sleep(600)%']))
        .length > 0
    await waitUntil(runs, 'it runs')
    await company.api('bob', 'POST', `/api/v1/grants/${id}/revoke`, { reason: 'incident 42' })
    t.match(await Promise.race([sleeping, lost.then(({ message }) => message)]), /incident 42/)
    await waitUntil(async () => !(await runs()), 'it no longer runs', 3000)
  })

  await t.test('when the daemon stops, no tunnel is left at AWS', async (t) => {
    await company.daemon.stop()
    t.notOk(aws.ssm.sessions.some(({ sessionId }) => aws.ssm.isActive(sessionId)))
  })
}
