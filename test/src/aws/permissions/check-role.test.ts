/** What a role is found to be allowed: by simulation and by calls, against a referee that evaluates the policies. */
import t from 'tap'
import { accountProbes } from '../../../../src/aws/permissions/account-probes.ts'
import { checkRole } from '../../../../src/aws/permissions/check-role.ts'
import { permissionsIn } from '../../../../src/aws/permissions/permission.ts'
import type { Role, World } from '../../../sandbox/aws/world.ts'
import { accounts, allow, arns, createWorld, policy, region } from '../../../sandbox/default-world.ts'
import { createOrganization } from '../../../sandbox/organization-world.ts'
import { signal, startHub } from '../hub-setup.ts'

const place = { partition: 'aws', account: accounts.data }
const values = { partition: 'aws', account: accounts.data, region, policy: 'sallyport/SallyportRevocations' }
const permissions = permissionsIn(
  {
    statements: [
      {
        sid: 'Read',
        actions: { 'iam:GetPolicy': 'reads the list', 'iam:CreatePolicyVersion': 'writes the list' },
        resources: ['arn:{{partition}}:iam::{{account}}:policy/{{policy}}'],
      },
      {
        sid: 'Assume',
        actions: { 'sts:AssumeRole': 'sessions' },
        resources: ['arn:aws:iam::*:role/*'],
        conditions: { StringEquals: { 'aws:ResourceTag/sallyport:managed': 'true' } },
      },
      { sid: 'Clusters', actions: { 'eks:DescribeCluster': 'finds' }, resources: ['arn:aws:eks:*:*:cluster/*'] },
      {
        sid: 'Self',
        actions: { 'iam:SimulatePrincipalPolicy': 'aws validate says what is missing' },
        resources: [arns.connect],
      },
    ],
  },
  values,
)

async function judged(t: Test, change: (role: Role, world: World) => void = () => {}) {
  const world = createWorld()
  world.organization = createOrganization()
  const spoke = world.roles.find(({ arn }) => arn === arns.connect)
  if (!spoke) throw new Error('no spoke')
  change(spoke, world)
  const { broker, config, metrics, aws } = await startHub(t, world)
  const call = { config, metrics, signal, credentials: () => broker.spoke(place) }
  const settings = { regions: [region, 'us-east-1'], revocationPolicy: 'sallyport/SallyportRevocations' }
  const probes = accountProbes(call, place, settings)
  const document = 'permissions of the spoke role'
  const found = await checkRole(call, { role: arns.connect, partition: 'aws', permissions, document, probes })
  return { aws, found: Object.fromEntries(found.map(({ permission, ...one }) => [permission.action, one])) }
}

type Test = Parameters<typeof startHub>[0]
const deny = (action: string | string[], more: object = {}) =>
  policy({ Effect: 'Deny', Action: action, Resource: '*', ...more })

t.test('severity follows from what the action is for, and wildcards stand for a name in the place', (t) => {
  t.match(
    permissions.map(({ action, severity, resource }) => [action, severity, resource]),
    [
      ['eks:DescribeCluster', 'medium', `arn:aws:eks:${region}:${accounts.data}:cluster/sallyport-check`],
      ['iam:CreatePolicyVersion', 'high', /policy\/sallyport\/SallyportRevocations$/],
      ['iam:GetPolicy', 'high', /policy/],
      ['iam:SimulatePrincipalPolicy', 'low', arns.connect],
      ['sts:AssumeRole', 'high', `arn:aws:iam::${accounts.data}:role/sallyport-check`],
    ],
  )
  t.end()
})

t.test('all is allowed: by calls where there are cheap ones, else by simulation', async (t) => {
  const { found, aws } = await judged(t)
  t.match(found, {
    'iam:GetPolicy': { status: 'ok', simulated: 'allowed', called: 'allowed' },
    'iam:CreatePolicyVersion': { status: 'ok', simulated: 'allowed', called: null },
    'sts:AssumeRole': { status: 'ok', simulated: 'allowed', called: null },
    'eks:DescribeCluster': { status: 'ok', simulated: 'allowed', called: 'allowed' },
  })
  t.equal(aws.calls.filter(({ action }) => action === 'CreatePolicyVersion').length, 0, 'nothing is changed')
})

t.test('a service control policy, a boundary, a Deny and a lack are told apart, each with what to do', async (t) => {
  const cases: readonly [what: string, change: (role: Role, world: World) => void, found: object][] = [
    [
      'organization',
      (_role, world) => {
        world.serviceControlPolicies = [
          { accounts: [accounts.data], document: deny(['iam:GetPolicy', 'iam:CreatePolicyVersion']) },
        ]
      },
      {
        'iam:GetPolicy': { called: 'denied', fix: /service control policy denies iam:GetPolicy: exempt .*management/ },
        'iam:CreatePolicyVersion': { simulated: 'denied', called: null, detail: /service control policy/ },
      },
    ],
    [
      'boundary',
      (role) => {
        role.boundary = allow(['sts:*', 'eks:*', 'iam:Simulate*'], '*')
      },
      {
        'iam:GetPolicy': { called: 'denied', fix: /permissions boundary of .*SallyportConnect allow iam:GetPolicy/ },
        'iam:CreatePolicyVersion': { simulated: 'denied', fix: /permissions boundary/ },
        'sts:AssumeRole': { status: 'ok' },
      },
    ],
    [
      'deny',
      (role) => role.policies.push(deny('iam:CreatePolicyVersion')),
      { 'iam:CreatePolicyVersion': { status: 'failed', fix: /remove the Deny of iam:CreatePolicyVersion/ } },
    ],
    [
      'lack',
      (role) => {
        role.policies = role.policies.filter((one) => !JSON.stringify(one).includes('eks:DescribeCluster'))
      },
      {
        'eks:DescribeCluster': {
          status: 'failed',
          simulated: 'denied',
          called: 'denied',
          detail: new RegExp(`refused: in ${region}, us-east-1: `),
          fix: /allow eks:DescribeCluster on .* in the permissions of the spoke role, as `sallyport aws policies`/,
        },
      },
    ],
  ]
  for (const [what, change, found] of cases) t.match((await judged(t, change)).found, found, what)
})

t.test('a region that the organization closes is named; one that is off is no fault', async (t) => {
  const closed = await judged(t, (_role, world) => {
    const Condition = { StringNotEquals: { 'aws:RequestedRegion': region } }
    const document = policy({ Effect: 'Deny', NotAction: ['iam:*', 'sts:*'], Resource: '*', Condition })
    world.serviceControlPolicies = [{ accounts: [accounts.data], document }]
  })
  t.match(closed.found['eks:DescribeCluster'], {
    status: 'failed',
    detail: /refused: in us-east-1: /,
    fix: /service control policy denies eks:DescribeCluster/,
  })
})

t.test('where the role may not be simulated, calls say what they can, and the rest is unknown', async (t) => {
  const { found } = await judged(t, (role) => role.policies.push(deny('iam:SimulatePrincipalPolicy')))
  t.match(found, {
    'iam:GetPolicy': { status: 'ok', simulated: null, called: 'allowed' },
    'iam:CreatePolicyVersion': { status: 'unknown', detail: /not simulated: /, fix: /iam:SimulatePrincipalPolicy/ },
    'iam:SimulatePrincipalPolicy': { status: 'failed', called: 'denied' },
  })
})

t.test('more than fifty actions are asked about in several calls, each in pages', async (t) => {
  const world = createWorld()
  const { broker, config, metrics, aws } = await startHub(t, world)
  const call = { config, metrics, signal, credentials: () => broker.spoke(place) }
  const actions = Object.fromEntries(Array.from({ length: 120 }, (_, number) => [`s3:Get${number}`, 'reads']))
  const many = permissionsIn({ statements: [{ sid: 'Many', actions }] }, values)
  const role = { role: arns.connect, partition: 'aws', permissions: many, document: 'x', probes: {} }
  const found = await checkRole(call, role)
  t.equal(found.length, 120)
  t.ok(found.every(({ simulated }) => simulated === 'denied'))
  const asked = aws.calls.filter(({ action }) => action === 'SimulatePrincipalPolicy')
  t.ok(asked.every(({ outcome }) => outcome === 'ok'))
  t.equal(asked.length, 12, 'pages of ten')
})
