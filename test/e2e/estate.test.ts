/**
 * Roles and databases in the catalog of the real daemon: found, not written, or written in part; what was replaced under its name ends, and
 * what must not be given is not.
 */
import t from 'tap'
import type { RequestView } from '../../src/contract/requests.ts'
import type { ResourceView } from '../../src/contract/resources.ts'
import type { Role } from '../sandbox/aws/world.ts'
import { resourceId, roleId } from '../sandbox/daemon-files.ts'
import { createCluster } from '../sandbox/databases-world.ts'
import { accounts, arns, instances, region } from '../sandbox/default-world.ts'
import { startSandbox } from '../sandbox/sandbox.ts'
import { waitUntil } from '../wait-until.ts'
import { companyIn } from './company.ts'
import { openDatabase } from './database-client.ts'

const where = { account: accounts.data, region }
const sandbox = await startSandbox()
const { world } = sandbox.aws
const { connect } = arns

/** Brokered, with a name that needs care. */
const odd = 'a+b=c,d.e@f-g_h'
const brokered = (name: string, more: Partial<Role> = {}): Role => {
  const like = world.roles.find(({ arn }) => arn === arns.reports)
  if (!like) throw new Error('there is such a role')
  return { ...like, arn: `arn:aws:iam::${accounts.data}:role/${name}`, roleId: 'AROASANDBOXODD000001', ...more }
}
const own = { team: 'shop', 'sallyport:managed': 'true' }
world.roles.push(
  brokered(`teams/shop/${odd}`, { tags: own }),
  brokered('AWSReservedSSO_Admin_0123456789abcdef', { tags: own, roleId: 'AROASANDBOXSSO000001' }),
)
for (const role of world.roles)
  if ([arns.reports, arns.deploy, connect].includes(role.arn as typeof connect)) role.tags = { ...role.tags, ...own }

const company = await companyIn(sandbox, {
  overrides: {
    inventory: { import: 'all', every: '24h' },
    // Where AWS's names do not lead anywhere; all else of it is found.
    resources: [
      {
        id: resourceId('orders'),
        connect_address: `127.0.0.1:${sandbox.databases.orders.listenPort}`,
        ca: sandbox.caFile,
        role: arns.databases,
      },
    ],
  },
})
t.teardown(() => company.close())

async function seen(): Promise<readonly ResourceView[]> {
  const found = await company.api<{ resources: ResourceView[] }>('carol', 'GET', '/api/v1/resources?limit=200')
  return found.resources
}

async function one(id: string): Promise<ResourceView | undefined> {
  const response = await company.call('carol', 'GET', `/api/v1/resources?resource=${encodeURIComponent(id)}`)
  if (response.status === 404) return undefined
  return ((await response.json()) as { resources: ResourceView[] }).resources[0]
}

async function sync(): Promise<void> {
  const { code, stdout, stderr } = await company.commands.dave.run(['sync', '--watch'])
  t.equal(code, 0, stdout + stderr)
}

await t.test('roles and databases are in the catalog, with what is risky about them', async (t) => {
  await sync()
  for (const id of [roleId(odd), resourceId('orders')])
    await waitUntil(async () => (await one(id)) !== undefined, `${id} is in the catalog`, 20_000)
  t.match(await one(roleId(odd)), { name: odd, tags: own, levels: [] })
  t.match(await one(`rds-postgres/${accounts.data}/${region}/billing`), {
    shown: { engine: 'postgres 16.4', status: 'available', database: 'billing' },
    tags: { env: 'staging', team: 'finance' },
  })
  t.match(await one(`rds-mysql/${accounts.data}/${region}/shop`), { shown: { database: 'orders' } })
  const { stdout } = await company.commands.carol.run(['ls', '--risk', '--all'])
  t.match(stdout, new RegExp(`^${roleId('ReportsReader')} +medium +over-broad .*s3:\\*`, 'm'))
})

await t.test('a database that is written in part is the one that is found, and a session goes through', async (t) => {
  t.match(await one(resourceId('orders')), { tags: { env: 'prod', team: 'shop' }, shown: { status: 'available' } })
  await company.grant()
  const { client } = await openDatabase(company)
  t.equal((await client.query('select 1')).rowCount, 1)
  await client.end()
})

await t.test('no rule gives the roles of the broker and of Identity Center', async (t) => {
  const mine = await company.api<{ resources: ResourceView[] }>('alice', 'GET', '/api/v1/resources?kind=iam-role')
  const names = mine.resources.map(({ name }) => name)
  t.ok(names.includes(odd))
  t.ok(names.includes('Deployer'))
  for (const name of ['SallyportConnect', 'AWSReservedSSO_Admin_0123456789abcdef']) {
    t.match(await one(roleId(name)), { tags: own, levels: [] })
    t.notOk(names.includes(name))
    const ask = { resource: roleId(name), level: 'readonly', durationMs: 60_000, reason: 'why is order 17 late' }
    t.match(await (await company.call('alice', 'POST', '/api/v1/requests', ask)).json(), { code: 'RESOURCE_UNKNOWN' })
  }
})

await t.test(
  'a database whose IAM authentication is off fails its validation, which says how to turn it on',
  async (t) => {
    const billing = `rds-postgres/${accounts.data}/${region}/billing`
    const look = async () => {
      const report = await company.api<{ ok: boolean; validations: object[] }>(
        'dave',
        'POST',
        '/api/v1/validations/run',
        { subject: billing },
      )
      return report.validations
    }
    t.match(await look(), [{ check: 'IAM authentication', status: 'ok' }])
    for (const one of world.rds.instances) if (one.name === 'billing') one.hasIam = false
    await sync()
    await waitUntil(
      async () => (await one(billing))?.risk?.some(({ code }) => code === 'iam-off') === true,
      'it is seen',
    )
    t.match(await look(), [{ check: 'IAM authentication', status: 'failed', fix: /aws prepare/ }])
  },
)

async function pending(resource: string): Promise<string> {
  const asked = { resource, level: 'readonly', durationMs: 3_600_000, reason: 'why is order 17 late' }
  const { request } = await company.api<{ request: RequestView }>('alice', 'POST', '/api/v1/requests', asked)
  return request.id
}

const requestOf = async (id: string) =>
  (await company.api<{ request: RequestView }>('bob', 'GET', `/api/v1/requests/${id}`)).request
const grantOf = async (id: string) =>
  (
    await company.api<{ grants: { id: string; endReason: string; endText: string }[] }>(
      'bob',
      'GET',
      '/api/v1/grants?all=true',
    )
  ).grants.find((grant) => grant.id === id)

await t.test('N-5: a role made anew under its name: what was given for the old one ends, requests lapse', async (t) => {
  const { id: grant } = await company.grant(3_600_000, odd)
  const request = await pending('Deployer')
  for (const role of world.roles)
    if (role.arn.endsWith(`/${odd}`) || role.arn === arns.deploy) role.roleId = `${role.roleId.slice(0, -1)}Z`
  await sync()
  await waitUntil(async () => (await grantOf(grant))?.endReason === 'resource-replaced', 'the grant has ended', 10_000)
  t.match(await grantOf(grant), { endText: /AROASANDBOXODD000001.*AROASANDBOXODD00000Z/ })
  t.not((await requestOf(request)).status, 'pending')
  const asked = { resource: odd, level: 'readonly' }
  const refused = await company.call('alice', 'POST', '/api/v1/aws/credentials', asked)
  t.match(await refused.json(), { code: /GRANT_/ })
})

await t.test('a cluster that takes the name of an instance later takes nothing else', async (t) => {
  await company.grant()
  const { client } = await openDatabase(company)
  const { cluster, instances: members } = createCluster(where, 'orders', { createdAt: Date.now(), tags: own })
  world.rds.clusters.push(cluster)
  world.rds.instances.push(...members)
  await sync()
  const at = (name: string) => one(`rds-postgres/${accounts.data}/${region}/${name}`)
  await waitUntil(async () => (await at('orders.cluster')) !== undefined, 'the cluster is there', 10_000)
  t.match(await at('orders.cluster.reader'), { shown: { endpoint: 'reader', members: 'orders-1, orders-2' } })
  t.equal((await client.query('select 1')).rowCount, 1)
  await client.end()
})

await t.test('a database replaced under its name: the session is cut, and the request lapses', async (t) => {
  const { client, lost } = await openDatabase(company)
  t.equal((await client.query('select 1')).rowCount, 1)
  for (const one of world.rds.instances)
    if (one.resourceId === instances.orders.resourceId) one.resourceId = 'db-ANOTHER'
  await sync()
  t.match((await lost).message, /another resource now/)
})

await t.test('what AWS refuses changes nothing, and says what to do', async (t) => {
  const before = (await seen()).map(({ id }) => id)
  sandbox.aws.faults.deny('rds:DescribeDBClusters')
  const { stdout } = await company.commands.dave.run(['sync', '--watch'])
  t.match(stdout, /denied/)
  t.same(
    (await seen()).map(({ id }) => id),
    before,
  )
  const verified = await company.commands.carol.run(['audit', 'verify'])
  t.equal(verified.code, 0, verified.stdout + verified.stderr)
})
