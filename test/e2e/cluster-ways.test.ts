/** Ways to clusters: through an instance alone, by a person's own ID token alone, and what is said when a cluster does not take them. */
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import t from 'tap'
import { createAuthority } from '../sandbox/certificates.ts'
import { clusterId } from '../sandbox/daemon-files.ts'
import { accounts, allow, bastions, policy, region } from '../sandbox/default-world.ts'
import { type ApiServer, startApiServer } from '../sandbox/kubernetes/api-server.ts'
import { accessEntry, webCluster } from '../sandbox/kubernetes/web-cluster.ts'
import { type Sandbox, startSandbox } from '../sandbox/sandbox.ts'
import { waitUntil } from '../wait-until.ts'
import { askCluster, issueClusterToken, type Streamed, watchPods } from './cluster-client.ts'
import { companyIn } from './company.ts'

t.setTimeout(360_000)

const sandbox = await startSandbox({ cluster: true })
t.teardown(() => sandbox.close())
const { aws, cluster } = sandbox
if (!cluster) throw new Error('there is no cluster')

const ledgerId = `eks-cluster/${accounts.web}/${region}/ledger`
const ledgerEndpoint = `fedcba9876543210fedcba9876543210.gr7.${region}.eks.amazonaws.com`
const role = `arn:aws:iam::${accounts.web}:role/sallyport/ledger-view`
const spoke = `arn:aws:iam::${accounts.web}:role/sallyport/SallyportConnect`
const ledger = await startLedger(sandbox)
t.teardown(() => ledger.close())
lead(cluster.port)

const reader = { role: 'sallyport/{cluster}-view', rules: [{ verbs: ['get', 'list', 'watch'], resources: ['pods'] }] }
const company = await companyIn(sandbox, {
  overrides: {
    resources: [
      {
        id: clusterId,
        endpoint: webCluster.endpoint,
        via: Object.values(bastions).map((id) => `ec2-instance/${accounts.data}/${region}/${id}`),
      },
      { id: ledgerId, endpoint: ledgerEndpoint, connect_address: `127.0.0.1:${ledger.port}` },
    ],
    levels: [{ for: { kinds: ['eks-cluster'] }, readonly: reader }],
    access: [
      {
        name: 'engineers-look-at-clusters',
        who: { groups: ['engineering'] },
        what: { kinds: ['eks-cluster'] },
        levels: ['readonly'],
        max_duration: '8h',
        approval: { stages: [{ any_of: ['group:database-owners'], count: 1 }] },
      },
    ],
  },
})
t.teardown(() => company.daemon.stop())

/** The name of the endpoint does not resolve here: agents alone know where it leads, from the beginning of a tunnel on. */
function lead(port: number): void {
  for (const { reaches } of aws.world.instances) reaches[`${webCluster.endpoint}:443`] = { host: '127.0.0.1', port }
  for (const { sessionId } of aws.ssm.sessions)
    if (aws.ssm.isActive(sessionId)) aws.ssm.gateway.session(sessionId).terminate('the instance was stopped')
}

/** In the account that takes ID tokens alone, with the trust policies of `aws policies --trust web_identity`. */
async function startLedger({ oidc, authority }: Sandbox): Promise<ApiServer> {
  const host = oidc.issuer.replace(/^https?:\/\//, '')
  const trust = policy({
    Effect: 'Allow',
    Principal: { Federated: `arn:aws:iam::${accounts.web}:oidc-provider/${host}` },
    Action: ['sts:AssumeRoleWithWebIdentity', 'sts:TagSession', 'sts:SetSourceIdentity'],
    Condition: { StringEquals: { [`${host}:aud`]: oidc.clientId }, StringLike: { [`${host}:sub`]: '?*' } },
  })
  for (const arn of [role, spoke])
    aws.world.roles.push({
      arn,
      roleId: `AROA${arn.length}`.padEnd(20, '0'),
      trust,
      policies: arn === spoke ? [allow('eks:DescribeCluster', `arn:aws:eks:*:${accounts.web}:cluster/*`)] : [],
      maxSessionSeconds: 3600,
      tags: {},
    })
  const known = {
    name: 'ledger',
    endpoint: ledgerEndpoint,
    account: accounts.web,
    region,
    ca: authority.cert,
    version: '1.33',
    createdAt: Date.parse('2026-01-15T12:00:00Z'),
    authenticationMode: 'API' as const,
    hasAuditLog: true,
    accessEntries: [accessEntry(aws.world, role)],
    awsAuth: [],
  }
  aws.world.clusters.push(known)
  return await startApiServer({ cluster: known, certificate: authority.issue([ledgerEndpoint]), tokens: aws.eksTokens })
}

const pods = '/api/v1/namespaces/shop/pods'
const messageOf = async (answer: Streamed) => {
  await answer.ended
  return (JSON.parse(answer.text()) as { message?: string }).message ?? ''
}

const granted = await company.grant(3_600_000, clusterId)

await t.test('a private cluster: through the first instance, by the document for clusters', async (t) => {
  const token = await issueClusterToken(company)
  const answer = await askCluster(company, token, pods)
  await answer.ended
  t.equal(answer.status, 200, answer.text())
  t.match(answer.text(), /web-1/)
  t.match(aws.ssm.sessions, [
    {
      target: bastions.first,
      document: 'Sallyport-PortCluster',
      owner: `arn:aws:sts::${accounts.data}:assumed-role/sallyport-reach/sp-sallyport-tunnels`,
      parameters: { host: webCluster.endpoint, portNumber: '443' },
    },
  ])
  t.match(cluster.audit.at(-1)?.user, /:assumed-role\/web-view\/alice=40example\.com$/)
})

await t.test('TLS is between broker and cluster: an instance that leads elsewhere gets nothing', async (t) => {
  const heard: string[] = []
  const { cert, key } = createAuthority('another').issue([webCluster.endpoint])
  const other = createServer({ cert, key }, (request, response) => {
    heard.push(request.headers.authorization ?? '')
    response.end('{}')
  })
  await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve))
  t.teardown(() => other.close())
  lead((other.address() as AddressInfo).port)
  const answer = await askCluster(company, await issueClusterToken(company), pods)
  t.equal(answer.status, 502)
  t.match(await messageOf(answer), /the identity of the target could not be verified/)
  t.same(heard, [])
  lead(cluster.port)
})

await t.test(
  'a token that the cluster refuses once is renewed; one that it goes on refusing is explained',
  async (t) => {
    const token = await issueClusterToken(company)
    cluster.answerNext((_, response) => void response.writeHead(401).end('{}'))
    const answer = await askCluster(company, token, pods)
    t.equal(answer.status, 200)
    await answer.ended
    const [known] = aws.world.clusters.filter(({ name }) => name === webCluster.name)
    const entries = known?.accessEntries.splice(0) ?? []
    const refused = await askCluster(company, token, pods)
    t.equal(refused.status, 502)
    t.match(await messageOf(refused), /does not take the role .* Check that the cluster has an access entry for it/)
    known?.accessEntries.push(...entries)
  },
)

await t.test('a revocation ends a watch through the instance', async (t) => {
  const watch = await watchPods(company, await issueClusterToken(company))
  await company.api('bob', 'POST', `/api/v1/grants/${granted.id}/revoke`, { reason: 'incident 42' })
  await watch.ended
  t.match(watch.text(), /"type":"ERROR".*incident 42/)
  await waitUntil(() => cluster.streaming === 0, 'the cluster was left')
})

await t.test('an account that takes ID tokens alone: both by the person’s own, nothing of the hub', async (t) => {
  await company.grant(3_600_000, ledgerId)
  const token = await issueClusterToken(company, ledgerId)
  const before = aws.calls.length
  const answer = await askCluster(company, token, pods, ledgerId)
  await answer.ended
  t.equal(answer.status, 200, answer.text())
  const calls = aws.calls.slice(before)
  t.same(calls.map(({ action, parameters }) => `${action} ${parameters.RoleArn ?? ''}`.trim()).sort(), [
    `AssumeRoleWithWebIdentity ${spoke}`,
    `AssumeRoleWithWebIdentity ${role}`,
    'DescribeCluster',
  ])
  t.match(ledger.audit.at(-1)?.user, /:assumed-role\/ledger-view\/alice=40example\.com$/)
})

interface Check {
  readonly check: string
  readonly outcome: string
  readonly detail: string
}

/** What `aws validate` says to dave. */
async function validated(resource: string): Promise<readonly Check[]> {
  const ask = { resource, level: 'readonly' }
  return (await company.api<{ checks: Check[] }>('dave', 'POST', '/api/v1/aws/preflight', ask)).checks
}

await t.test(
  'aws validate: by an instance, and by the ID token of who asks, with what it cannot read in words',
  async (t) => {
    const byInstance = await validated(clusterId)
    t.notOk(byInstance.some(({ outcome }) => outcome === 'fail'))
    const names = byInstance.map(({ check }) => check)
    for (const check of ['tunnel role', `instance ${bastions.first}`, 'sign-in', 'username', 'rights', 'audit log'])
      t.ok(names.includes(check), check)
    const own = await validated(ledgerId)
    t.same(
      own.filter(({ outcome }) => outcome === 'ok').map(({ check }) => check),
      ['AWS', 'authentication mode', 'sign-in', 'rights', 'audit log'],
    )
    t.match(
      own.find(({ check }) => check === 'access entry'),
      { outcome: 'warn', detail: /username, policies .* are not checked$/ },
    )
  },
)

await t.test('with the permissions of `aws policies` it reads access entries by that token too', async (t) => {
  const connect = aws.world.roles.find(({ arn }) => arn === spoke)
  const known = aws.world.clusters.find(({ name }) => name === 'ledger')
  const [entry] = known?.accessEntries ?? []
  if (!connect || !entry) throw new Error('the role or the entry is missing')
  connect.policies.push(
    allow('eks:ListAccessEntries', `arn:aws:eks:*:${accounts.web}:cluster/*`),
    allow(
      ['eks:DescribeAccessEntry', 'eks:ListAssociatedAccessPolicies'],
      `arn:aws:eks:*:${accounts.web}:access-entry/*`,
    ),
  )
  t.same(
    (await validated(ledgerId)).filter(({ outcome }) => outcome === 'fail'),
    [],
  )
  entry.policies = [{ name: 'AmazonEKSClusterAdminPolicy', namespaces: null }]
  entry.username = 'sallyport:shared'
  const before = aws.calls.length
  const found = (await validated(ledgerId)).filter(({ outcome }) => outcome !== 'ok')
  t.ok(
    found.some(
      ({ check, detail }) => check === 'policy AmazonEKSClusterAdminPolicy' && /wider than the level/.test(detail),
    ),
    'a policy that is wider than the level',
  )
  t.ok(
    found.some(({ check }) => check === 'username'),
    'a username that hides the person',
  )
  t.notOk(found.some(({ detail }) => /are not checked/.test(detail)))
  const asked = aws.calls.slice(before).map(({ action }) => action)
  t.ok(asked.includes('DescribeAccessEntry'))
  t.notOk(asked.includes('AssumeRole'), 'nothing of the hub')
})

await t.test('where the person’s token may not read the cluster, the broker says what to configure', async (t) => {
  const connect = aws.world.roles.find(({ arn }) => arn === spoke)
  connect?.policies.splice(0)
  await company.signIn(['alice'])
  const answer = await askCluster(company, await issueClusterToken(company, ledgerId), pods, ledgerId)
  t.equal(answer.status, 502)
  t.match(await messageOf(answer), /may not read arn:aws:eks:.*cluster\/ledger.*into the configuration: ca/)
})

await t.test('no tunnel is left, and no agent found a fault', async (t) => {
  await company.daemon.stop()
  t.same(
    aws.ssm.sessions.filter(({ sessionId }) => aws.ssm.isActive(sessionId)),
    [],
  )
  for (const { sessionId } of aws.ssm.sessions) t.same(aws.ssm.gateway.session(sessionId).faults, [])
})
