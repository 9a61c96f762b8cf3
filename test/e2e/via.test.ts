/** Databases that only an instance reaches: real psql to a real PostgreSQL, through the sandbox's Session Manager and its agents. */
import t from 'tap'
import { startDaemon } from '../sandbox/daemon.ts'
import { resourceId } from '../sandbox/daemon-files.ts'
import { accounts, bastions, region } from '../sandbox/default-world.ts'
import { skipWithout } from '../sandbox/programs.ts'
import { startSandbox } from '../sandbox/sandbox.ts'
import { waitFor, waitUntil } from '../wait-until.ts'
import { companyIn } from './company.ts'
import { openDatabase } from './database-client.ts'

const sandbox = await startSandbox()
t.teardown(() => sandbox.close())
const { aws, databases, caFile } = sandbox
const names = ['orders', 'billing'] as const
// The endpoints' names do not resolve here: agents alone know where they lead.
for (const { reaches } of aws.world.instances)
  for (const { endpoint, listenPort } of names.map((name) => databases[name]))
    reaches[`${endpoint.host}:${endpoint.port}`] = { host: '127.0.0.1', port: listenPort }
const company = await companyIn(sandbox, {
  overrides: {
    resources: names.map((name) => {
      const { endpoint } = databases[name]
      return {
        id: resourceId(name),
        endpoint: endpoint.host,
        resource_id: endpoint.resourceId,
        database: name,
        ca: caFile,
        tags: { env: name === 'orders' ? 'prod' : 'staging' },
        via: Object.values(bastions).map((id) => `ec2-instance/${accounts.data}/${region}/${id}`),
      }
    }),
  },
})
t.teardown(() => company.daemon.stop())

const skip = skipWithout('psql')
const tunnels = () => aws.ssm.sessions
const open = () => tunnels().filter(({ sessionId }) => aws.ssm.isActive(sessionId))
const gatewayOf = (at: number) => aws.ssm.gateway.session(open()[at]?.sessionId ?? '')
const running = async (what: string) =>
  (await sandbox.postgres.query('postgres', 'select 1 from pg_stat_activity where query like $1', [`${what}%`])).rows
    .length

await t.test('psql, with several sessions by one tunnel, of the broker alone', { skip }, async (t) => {
  await company.grant()
  const psql = (sql: string) => company.commands.alice.run(['psql', 'orders', '--', '-At', '-c', sql])
  const [one, two] = await Promise.all([
    psql('select count(*) > 0 from orders'),
    psql("select length(repeat('x', 300000))"),
  ])
  t.equal(one.stdout.trim(), 't', one.stderr)
  t.equal(two.stdout.trim(), '300000', two.stderr)
  t.match(tunnels(), [
    {
      target: bastions.first,
      document: 'Sallyport-PortDatabase',
      owner: `arn:aws:sts::${accounts.data}:assumed-role/sallyport-reach/sp-sallyport-tunnels`,
      parameters: { host: databases.orders.endpoint.host, portNumber: '5432' },
    },
  ])
  t.equal(tunnels().length, 1)
})

await t.test('"Bye" of the gateway disturbs no session: the tunnel is resumed', async (t) => {
  const { client } = await openDatabase(company)
  const { opened } = gatewayOf(0)
  const answer = client.query('select pg_sleep(1), 42 as answer')
  await waitUntil(async () => (await running('select pg_sleep(1), 42')) === 1, 'it runs')
  gatewayOf(0).bye()
  t.equal((await answer).rows[0].answer, 42)
  t.equal(gatewayOf(0).opened, opened + 1)
  t.ok(aws.calls.some(({ action, outcome }) => action === 'ResumeSession' && outcome === 'ok'))
  await client.end()
})

await t.test('a revocation cuts at once, and ends what runs by a second stream', { skip }, async (t) => {
  const { id } = await company.grant()
  const args = ['psql', 'orders', '--', '-v', 'VERBOSITY=verbose', '-c', "select 'begun'", '-c', 'select pg_sleep(600)']
  const psql = company.commands.alice.start(args)
  await psql.prints(/begun/)
  await waitUntil(async () => (await running('select pg_sleep(600)')) === 1, 'it runs')
  const grants = await company.api<{ grants: { id: string }[] }>('alice', 'GET', '/api/v1/grants')
  for (const grant of grants.grants)
    await company.api('bob', 'POST', `/api/v1/grants/${grant.id}/revoke`, { reason: 'incident 42' })
  const { stderr } = await psql.ended
  t.match(stderr, /57P01.*incident 42/s)
  const path = '/api/v1/audit/events?type=session.ended'
  const ended = await waitFor(
    async () => {
      const { events } = await company.api<{ events: { fields: Record<string, unknown> }[] }>('carol', 'GET', path)
      return events.find(({ fields }) => fields.reason === 'grant-revoked')
    },
    'the log has its end',
    5000,
    50,
  )
  t.match(ended.fields, { unfinished: 'ended' })
  const text = await (await fetch(`${company.daemon.metricsUrl}/metrics`)).text()
  // The promise is one second; a busy machine is given five.
  t.match(text, /cut_seconds_bucket\{le="5",reason="grant-revoked"\} 1/)
  t.comment(/cut_seconds_sum\{reason="grant-revoked"\} .*/.exec(text)?.[0])
  await waitUntil(async () => (await running('select pg_sleep(600)')) === 0, 'it no longer runs', 2000)
  t.ok(id)
})

await t.test('a preflight goes the same way', async (t) => {
  const report = await company.api<{ ok: boolean; checks: { check: string; outcome: string }[] }>(
    'dave',
    'POST',
    '/api/v1/aws/preflight',
    { resource: 'orders', level: 'readonly' },
  )
  t.ok(report.ok, JSON.stringify(report))
  t.ok(report.checks.some(({ check, outcome }) => check === 'sign-in' && outcome === 'ok'))
  const way = report.checks.slice(0, 4).map(({ check, outcome }) => `${outcome} ${check}`)
  t.same(way, [
    'ok tunnel role',
    `ok instance ${bastions.first}`,
    `ok instance ${bastions.second}`,
    'warn document Sallyport-PortDatabase', // the sandbox's names its region
  ])
})

await t.test('the check of the account tries the role of the tunnels', async (t) => {
  const { accounts: reports } = await company.api<{
    accounts: { account: string; features: string[]; findings: { check: string; outcome: string }[] }[]
  }>('dave', 'POST', '/api/v1/aws/validate', {})
  const report = reports.find(({ account }) => account === accounts.data)
  const check = 'role arn:aws:iam::111122223333:role/sallyport-reach with tags and SourceIdentity'
  t.match(
    report?.findings.find((one) => one.check === check),
    { outcome: 'ok' },
    JSON.stringify(report),
  )
  t.ok(report?.features.includes('reach'))
})

await t.test('an instance that is gone: its sessions are lost, and the next go through the other', async (t) => {
  await company.grant()
  const session = await openDatabase(company)
  const [first] = aws.world.instances
  if (first) first.isOnline = false
  for (const { sessionId } of open()) aws.ssm.gateway.session(sessionId).terminate('the instance was stopped')
  t.match((await session.lost).message, /.+/)
  const next = await openDatabase(company)
  t.equal((await next.client.query('select 1')).rowCount, 1)
  t.match(open(), [{ target: bastions.second }])
  await next.client.end()
  if (first) first.isOnline = true
})

await t.test('what a killed daemon left running is ended through a tunnel of the next one', async (t) => {
  const { client, sessionId } = await openDatabase(company)
  const lost = client.query('select pg_sleep(500)').catch(() => {})
  await waitUntil(async () => (await running('select pg_sleep(500)')) === 1, 'it runs')
  company.daemon.signal('SIGKILL')
  await company.daemon.exited
  await lost
  company.daemon = await startDaemon(sandbox, { files: company.daemon })
  await waitUntil(async () => (await running('select pg_sleep(500)')) === 0, 'it no longer runs', 20_000)
  const path = `/api/v1/audit/events?type=session.work-ended&subject=${sessionId}`
  const found = async () => (await company.api<{ events: unknown[] }>('carol', 'GET', path)).events[0]
  t.ok(await waitFor(found, 'the log says so', 10_000, 50))
  // What the killed one had open, nothing ends but the service.
  for (const tunnel of open().slice(0, -1)) aws.ssm.gateway.session(tunnel.sessionId).terminate()
})

await t.test('when the daemon stops, no tunnel is left at AWS, and no agent found a fault', async (t) => {
  await company.daemon.stop()
  t.same(open(), [])
  for (const { sessionId } of tunnels()) t.same(aws.ssm.gateway.session(sessionId).faults, [])
  t.same(aws.ssm.gateway.refused, [])
})
