/** Instances and clusters in the catalog of the real daemon, discovered: what is there, what goes, and what is another one under an old name. */
import t from 'tap'
import type { RequestView } from '../../src/contract/requests.ts'
import type { ResourceView } from '../../src/contract/resources.ts'
import type { Cluster, Instance } from '../sandbox/aws/world.ts'
import { accounts, region, shellDocument } from '../sandbox/default-world.ts'
import { documentDigest } from '../sandbox/ssm/documents.ts'
import { noPty } from '../sandbox/ssm/shell.ts'
import { waitFor, waitUntil } from '../wait-until.ts'
import { startCompany } from './company.ts'
import { openShell } from './shell-client.ts'

t.setTimeout(480_000)

const tags = { Name: 'blue <web> "ü"', team: 'blue', 'sallyport:managed': 'true' }
const blue = instance('i-0b1ce00000000000a')
const green = instance('i-0b1ce00000000000b')
const clusterId = `eks-cluster/${accounts.data}/${region}/blue`
const idOf = ({ id }: Instance) => `ec2-instance/${accounts.data}/${region}/${id}`
const stages = [{ any_of: ['group:database-owners'], count: 1 }]
const company = await startCompany({
  sandbox: { shells: true },
  overrides: {
    inventory: { import: 'tagged', every: '24h' },
    levels: [
      {
        for: { kinds: ['ec2-instance'] },
        shell: {
          document: 'Sallyport-Shell',
          document_digest: documentDigest(shellDocument().versions.at(-1)),
          os_user: 'deploy',
        },
      },
      {
        for: { kinds: ['eks-cluster'] },
        view: {
          role: 'sallyport/{cluster}-view',
          rules: [{ verbs: ['get', 'list'], resources: ['pods'], namespaces: ['*'] }],
        },
      },
    ],
    access: [
      {
        name: 'engineers-get-blue',
        who: { groups: ['engineering'] },
        what: { accounts: [accounts.data], kinds: ['ec2-instance', 'eks-cluster'], tags: { team: 'blue' } },
        levels: ['shell', 'view'],
        max_duration: '8h',
        require: { reason: true },
        approval: { stages },
      },
    ],
  },
})
t.teardown(() => company.close())
const { world } = company.sandbox.aws
const before = world.instances.length
world.instances.push(blue)

function instance(id: string): Instance {
  const place = { account: accounts.data, region }
  return { id, ...place, agentVersion: '3.3.987.0', isOnline: true, tags, reaches: {}, imds: 'optional' }
}

async function sync(): Promise<void> {
  const { code, stdout, stderr } = await company.commands.dave.run(['sync', '--watch'])
  if (code !== 0) throw new Error(stdout + stderr)
}

async function seen(kind: string): Promise<readonly ResourceView[]> {
  const found = await company.api<{ resources: ResourceView[] }>('carol', 'GET', `/api/v1/resources?kind=${kind}`)
  return found.resources
}

const shownOf = async (one: Instance) => (await seen('ec2-instance')).find(({ id }) => id === idOf(one))
const ask = async (resource: string, level: string): Promise<string> => {
  const body = { resource, level, durationMs: 3_600_000, reason: 'why is it slow' }
  return (await company.api<{ request: { id: string } }>('alice', 'POST', '/api/v1/requests', body)).request.id
}
const request = async (id: string) =>
  (await company.api<{ request: RequestView }>('carol', 'GET', `/api/v1/requests/${id}`)).request

await t.test('what is tagged comes into the catalog, with its state, its agent and its risk', async (t) => {
  await sync()
  const found = await waitFor(() => shownOf(blue), 'it is in the catalog', 10_000)
  t.match(found, {
    shown: { title: tags.Name, state: 'running', agent: 'online 3.3.987.0' },
    tags: { team: 'blue' },
    risk: [{ code: 'imds-v1', severity: 'low', fix: /--http-tokens required/ }],
  })
  t.equal((await seen('ec2-instance')).length, 2, `of ${before + 1}, beside the one that is written by hand`)
  t.match((await company.commands.carol.run(['ls', '--kind', 'ec2-instance'])).stdout, /^blue <web> "ü" +ec2-instance/m)
})

await t.test('N-3: stopped, it stays', async (t) => {
  Object.assign(blue, { state: 'stopped' })
  await sync()
  await waitUntil(async () => (await shownOf(blue))?.shown.state === 'stopped', 'it is stopped', 10_000)
  t.match(await shownOf(blue), { shown: { agent: 'none' } })
  Object.assign(blue, { state: 'running' })
  await sync()
  await waitUntil(async () => (await shownOf(blue))?.shown.state === 'running', 'it runs again', 10_000)
})

await t.test(
  'replaced under its name: sessions end, requests lapse, the new one is another',
  { skip: noPty },
  async (t) => {
    await company.grant(3_600_000, idOf(blue), 'shell')
    const pending = await ask(idOf(blue), 'shell')
    const shell = await openShell(company, { resource: idOf(blue) })
    await shell.shows(/\$ /)
    Object.assign(blue, { state: 'terminated' })
    world.instances.push(green)
    await sync()
    await waitUntil(async () => (await shownOf(green)) !== undefined, 'the new one is in the catalog', 10_000)
    t.equal((await request(pending)).status, 'pending', 'one pass without it is not enough')
    await sync()
    await waitUntil(async () => (await request(pending)).status !== 'pending', 'the request has lapsed', 10_000)
    await shell.hears(/catalog/)
    await shell.closes()
    t.equal(await shownOf(blue), undefined)
    const other = await openShell(company, { resource: idOf(green) })
    await other.hears(/GRANT_DENIED|no .*access|not granted/)
  },
)

await t.test('a cluster made anew under its name: grants end, requests lapse', async (t) => {
  const cluster: Cluster = {
    ...{ name: 'blue', account: accounts.data, region, version: '1.33', createdAt: 1_772_000_000_000, tags },
    ...{ ca: 'pem', authenticationMode: 'API', hasAuditLog: true, accessEntries: [], awsAuth: [] },
    endpoint: `00000000000000000000000000000001.gr7.${region}.eks.amazonaws.com`,
  }
  world.clusters.push(cluster)
  await sync()
  const found = await waitFor(async () => (await seen('eks-cluster'))[0], 'it is in the catalog', 10_000)
  t.match(found, { id: clusterId, shown: { state: 'ACTIVE', version: '1.33' }, risk: [{ code: 'public-endpoint' }] })
  const { id } = await company.grant(3_600_000, clusterId, 'view')
  const pending = await ask(clusterId, 'view')
  cluster.endpoint = cluster.endpoint.replace('1.gr7', '2.gr7')
  await sync()
  const path = '/api/v1/grants?all=true'
  const ended = await waitFor(
    async () => {
      const { grants } = await company.api<{ grants: { id: string; state: string; endText: string }[] }>(
        'carol',
        'GET',
        path,
      )
      return grants.find((grant) => grant.id === id && grant.state === 'revoked')
    },
    'the grant has ended',
    10_000,
  )
  t.match(ended.endText, /another resource/)
  await waitUntil(async () => (await request(pending)).status !== 'pending', 'the request has lapsed', 10_000)
  t.match(await request(pending), { statusReason: /another resource/ })
})

await t.test('a denial in one region touches nothing that is known, and says what to do', async (t) => {
  company.sandbox.aws.faults.deny('ec2:DescribeInstances')
  const { code, stdout } = await company.commands.dave.run(['sync', '--watch'])
  t.equal(code, 1)
  t.match(stdout, /ec2:DescribeInstances is not allowed in account .*aws policies --feature discovery/)
  t.ok(await shownOf(green), 'it is still there')
  company.sandbox.aws.faults.clear()
  await sync()
  const verified = await company.commands.carol.run(['audit', 'verify'])
  t.equal(verified.code, 0, verified.stdout + verified.stderr)
})
