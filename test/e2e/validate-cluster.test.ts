/** What `aws validate RESOURCE` finds at a cluster and at EKS: a right one, and each way to be wrong. */
import t from 'tap'
import { clusterId } from '../sandbox/daemon-files.ts'
import { accounts, arns, region } from '../sandbox/default-world.ts'
import { webCluster } from '../sandbox/kubernetes/web-cluster.ts'
import { startCompany } from './company.ts'

t.setTimeout(180_000)

interface Check {
  readonly check: string
  readonly outcome: string
  readonly detail: string
  readonly fix: string | null
}
/** Written anew each time: a configuration may not hold YAML aliases. */
const inShop = (verbs: string[], resources: string[]) => [{ verbs, resources, namespaces: ['shop'] }]
const secondRole = `arn:aws:iam::${accounts.data}:role/sallyport/web-edit`

t.test('aws validate of a cluster', async (t) => {
  const company = await startCompany({
    sandbox: { cluster: true },
    overrides: {
      aws: { regions: [region, 'us-east-1'] },
      access: [
        {
          name: 'clusters',
          who: { groups: ['engineering'] },
          what: { ids: [clusterId] },
          levels: ['readonly', 'edit'],
          max_duration: '8h',
        },
      ],
      levels: [
        {
          for: { kinds: ['eks-cluster'] },
          readonly: { role: 'sallyport/{cluster}-view', rules: inShop(['get', 'list'], ['pods']) },
          edit: { role: 'sallyport/{cluster}-edit', rules: inShop(['*'], ['*']) },
        },
        { for: { kinds: ['rds-postgres'] }, readonly: { db_user: 'sallyport_ro', databases: ['*'] } },
        { for: { kinds: ['iam-role'] }, readonly: {}, full: {} },
      ],
    },
  })
  t.teardown(() => company.close())
  const { aws, cluster: server } = company.sandbox
  const { world } = aws
  const cluster = world.clusters.find(({ name }) => name === webCluster.name)
  const view = world.roles.find(({ arn }) => arn === arns.clusterView)
  const [entry] = cluster?.accessEntries ?? []
  if (!cluster || !entry || !view || !server) throw new Error('the sandbox has no cluster')
  world.roles.push({ ...view, arn: secondRole, roleId: 'AROASANDBOXCLUSTER02' })
  entry.policies = [{ name: 'AmazonEKSViewPolicy', namespaces: ['shop'] }]
  const good = structuredClone(cluster)
  const look = async (level = 'readonly') =>
    await company.api<{ ok: boolean; session: string; checks: Check[] }>('dave', 'POST', '/api/v1/aws/preflight', {
      resource: clusterId,
      level,
    })
  const problems = async (level?: string) => (await look(level)).checks.filter(({ outcome }) => outcome !== 'ok')
  /** What is found while the cluster is like this. */
  const when = async (changes: object, level?: string) => {
    Object.assign(cluster, structuredClone(good), changes)
    try {
      return await problems(level)
    } finally {
      Object.assign(cluster, structuredClone(good))
    }
  }
  const entryWith = (changes: object) => ({ accessEntries: [{ ...structuredClone(entry), ...changes }] })

  await t.test('a right one passes, and what was asked is on record', async (t) => {
    const report = await look()
    t.same(
      report.checks.map(({ check, outcome }) => `${outcome} ${check}`),
      [
        'ok AWS',
        'ok authentication mode',
        'ok sign-in',
        'ok username',
        'ok policy AmazonEKSViewPolicy',
        'ok rights',
        'ok audit log',
      ],
      JSON.stringify(report.checks),
    )
    t.match(report.checks[2]?.detail, /^as sallyport:system\S+preflight/)
    const asked = server.audit.filter(({ url }) => url.includes('selfsubject'))
    t.equal(asked[0]?.url, '/apis/authentication.k8s.io/v1/selfsubjectreviews')
    const played = await company.commands.carol.run(['recordings', 'play', report.session])
    t.match(
      played.stdout,
      /POST \/apis\/authentication\.k8s\.io\/v1\/selfsubjectreviews[\s\S]*selfsubjectaccessreviews/,
    )
  })

  await t.test('no entry, one of nodes, and a role that was made anew', async (t) => {
    t.match(await problems('edit'), [
      {
        check: 'sign-in',
        outcome: 'fail',
        detail: `no access entry maps ${secondRole}`,
        fix: /create-access-entry .*web-edit/,
      },
    ])
    t.match(await when(entryWith({ type: 'EC2_LINUX' })), [
      { outcome: 'fail', detail: /EC2_LINUX, which is for nodes/ },
    ])
    t.match(await when(entryWith({ principalId: 'AROATHEONETHATWASHERE' })), [
      {
        check: 'sign-in',
        outcome: 'fail',
        detail: /made anew after the entry/,
        fix: /delete-access-entry .*&& aws eks create/,
      },
    ])
  })

  await t.test('usernames that hide the person', async (t) => {
    t.match(await when(entryWith({ username: 'sallyport:everyone' })), [
      { check: 'username', outcome: 'warn', detail: /same for everyone/, fix: /update-access-entry .*SessionName/ },
    ])
    t.match(await when(entryWith({ username: 'sallyport:{{SessionNameRaw}}' })), [{ detail: /does not document/ }])
  })

  await t.test('policies that are wider than the level, or give nothing', async (t) => {
    const policies = (...list: object[]) => entryWith({ policies: list })
    t.match(await when(policies({ name: 'AmazonEKSClusterAdminPolicy', namespaces: null })), [
      {
        check: 'policy AmazonEKSClusterAdminPolicy',
        detail: /wider than the level, for which AmazonEKSViewPolicy is enough/,
        fix: /disassociate-access-policy .*ClusterAdmin.*; the level needs: aws eks associate-access-policy .*namespaces=shop/,
      },
      { check: 'rights beyond the level', detail: /may do everything$/ },
    ])
    t.match(await when(policies({ name: 'AmazonEKSViewPolicy', namespaces: null })), [
      { check: 'policy AmazonEKSViewPolicy', detail: /in the whole cluster, which is wider than the level: shop/ },
    ])
    t.match(await when(policies({ name: 'AmazonEKSViewPolicy', namespaces: ['shop', 'pay'] })), [
      { detail: /^in shop, pay, which is wider/ },
    ])
    const three = ['AmazonEKSViewPolicy', 'AmazonEKSNewPolicy', 'AmazonEKSEditPolicy']
    t.match(
      await when(policies(...three.map((name) => ({ name, namespaces: ['shop'] })))),
      [{ check: 'policy AmazonEKSNewPolicy' }, { check: 'policy AmazonEKSEditPolicy' }],
      'the second page is read',
    )
    t.match(await when(policies({ name: 'AmazonEKSViewPolicy', namespaces: ['pay'] })), [
      { check: 'policy AmazonEKSViewPolicy', detail: /^in pay, which is wider/ },
      { check: 'rights', detail: /does not allow get on pods in shop/ },
    ])
    t.match(await when(policies()), [
      {
        check: 'access policies',
        outcome: 'fail',
        detail: /neither a policy nor a group/,
        fix: /associate-access-policy/,
      },
      { check: 'rights', outcome: 'warn' },
    ])
    t.match(await when(entryWith({ policies: [], groups: ['viewers'] })), [{ check: 'rights' }])
  })

  await t.test('aws-auth, the audit log, entries that are left over, and a twin', async (t) => {
    t.match(await when({ authenticationMode: 'CONFIG_MAP' }), [
      { check: 'authentication mode', outcome: 'warn', fix: /authenticationMode=API_AND_CONFIG_MAP/ },
      { check: 'sign-in', outcome: 'fail', detail: /aws-auth does not map/, fix: /no path/ },
    ])
    const awsAuth = (username: string, groups: string[]) => [
      { roleArn: arns.clusterView.replace('/sallyport', ''), username, groups },
    ]
    t.match(await when({ authenticationMode: 'CONFIG_MAP', awsAuth: awsAuth('sallyport', ['system:masters']) }), [
      { check: 'authentication mode' },
      { check: 'username', fix: /mapRoles/ },
      { check: 'rights beyond the level' },
    ])
    const byAwsAuth = { authenticationMode: 'API_AND_CONFIG_MAP', accessEntries: [] }
    t.match(await when({ ...byAwsAuth, awsAuth: awsAuth('sallyport:{{SessionName}}', []) }), [
      { check: 'access entry', outcome: 'warn', detail: /enters by aws-auth/ },
      { check: 'rights' },
    ])
    t.match(await when({ hasAuditLog: false }), [{ check: 'audit log', outcome: 'warn', fix: /clusterLogging/ }])
    const old = { ...structuredClone(entry), principalArn: `arn:aws:iam::${accounts.data}:role/web-old` }
    const others = [1, 2].map((i) => ({ ...old, principalArn: `${old.principalArn}-${i}`, username: 'ci' }))
    t.match(await when({ accessEntries: [structuredClone(entry), ...others, old] }), [
      { check: 'left over', detail: /web-old, which no level names/, fix: /delete-access-entry .*web-old$/ },
    ])
    world.clusters.push({ ...structuredClone(good), region: 'us-east-1' })
    t.match(await problems(), [
      { check: 'twin', detail: /web in 111122223333 us-east-1 maps .* too/, fix: /us-east-1/ },
    ])
    world.clusters.pop()
  })

  await t.test('what AWS does not let the broker read; the command line', async (t) => {
    aws.faults.deny('eks:DescribeAccessEntry')
    t.match(await problems(), [
      { check: 'access entry', outcome: 'fail', detail: /eks:DescribeAccessEntry is not allowed/, fix: /aws policies/ },
      { check: 'twin', outcome: 'warn' },
    ])
    aws.faults.clear()
    const printed = await company.commands.dave.run(['aws', 'validate', 'web', '--json'])
    t.equal(printed.code, 1, 'a level fails')
    t.match(JSON.parse(printed.stdout), [
      { level: 'readonly', ok: true },
      { level: 'edit', ok: false },
    ])
    const prepared = await company.commands.dave.run(['aws', 'prepare', 'web'])
    t.match(prepared, { code: 0, stdout: /create-access-entry[\s\S]*mapRoles[\s\S]*web-edit/ })
    t.notOk(
      aws.calls.some(({ action }) => /^(Create|Update|Delete|Associate|Disassociate)Access/.test(action)),
      'nothing was changed',
    )
  })
})
