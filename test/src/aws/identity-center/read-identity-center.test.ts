/** Identity Center as the broker reads it, against an AWS that refuses what AWS refuses. */
import t from 'tap'
import { toIdentityCenterError } from '../../../../src/aws/aws-errors.ts'
import {
  type IdentityCenterProgress,
  readIdentityCenter,
} from '../../../../src/aws/identity-center/read-identity-center.ts'
import { accounts, region } from '../../../sandbox/default-world.ts'
import {
  groups,
  instanceId,
  permissionSetArn,
  permissionSets,
  users,
  uuid,
} from '../../../sandbox/identity-center-world.ts'
import { signal } from '../hub-setup.ts'
import { startIdentityCenter } from './identity-center-setup.ts'

const options = { managementAccount: accounts.hub, assignments: 'principals', signal } as const

t.test('instance, people, groups with members, permission sets with accounts, and assignments are read', async (t) => {
  const { calls, center } = await startIdentityCenter(t)
  const picture = await readIdentityCenter(calls, options)
  t.same(picture.instance, {
    arn: `arn:aws:sso:::instance/${instanceId}`,
    identityStoreId: 'd-1234567890',
    region,
    ownerAccount: accounts.hub,
  })
  const shared = { isEnabled: true, isExternal: false }
  t.same(picture.users, [
    { ...shared, id: users.alice, userName: 'alice', displayName: 'alice of the company', email: 'alice@example.com' },
    { ...shared, id: users.bob, userName: 'bob', displayName: 'bob of the company', email: 'bob@example.com' },
    {
      id: users.carol,
      userName: 'carol',
      displayName: 'carol of the company',
      email: null,
      isEnabled: false,
      isExternal: true,
    },
  ])
  t.same(
    picture.groups.map(({ name, isExternal, members }) => [name, isExternal, members.map(({ userId }) => userId)]),
    [
      ['Engineers', false, [users.alice, users.bob]],
      ['Admins & "Owners"', false, []],
      ['Pushed', true, [users.carol]],
    ],
  )
  t.same(picture.groups[0]?.members[0]?.membershipId, center.groups[0]?.members[0]?.membershipId)
  t.same(picture.permissionSets, [
    {
      arn: permissionSetArn(permissionSets.readOnly),
      name: 'ReadOnly',
      description: 'looks, and touches nothing',
      sessionMs: 8 * 3_600_000,
      details: {
        tags: { 'sallyport:managed': 'true' },
        policies: {
          managed: ['arn:aws:iam::aws:policy/ReadOnlyAccess', 'arn:aws:iam::aws:policy/job-function/Billing'],
          customer: ['/company/DenySecrets'],
          inline: center.permissionSets[0]?.inlinePolicy,
          boundary: '/sallyport/SallyportRevocations',
        },
      },
      accounts: [accounts.data, accounts.web],
    },
    {
      arn: permissionSetArn(permissionSets.admin),
      name: 'Admin',
      description: '',
      sessionMs: 90 * 60_000,
      details: {
        tags: {},
        policies: {
          managed: ['arn:aws:iam::aws:policy/AdministratorAccess'],
          customer: [],
          inline: null,
          boundary: null,
        },
      },
      accounts: [accounts.data],
    },
  ])
  t.same(
    picture.assignments.map((one) => [one.account, one.permissionSet.slice(-1), one.principalType, one.principalId]),
    [
      [accounts.data, '1', 'GROUP', groups.engineers],
      [accounts.data, '2', 'USER', users.bob],
      [accounts.web, '1', 'GROUP', groups.engineers],
    ],
    'once, though bob has two of them through a group',
  )
})

t.test('by principals and by pairs the same comes out; only pairs find what principals left behind', async (t) => {
  const { calls, center, outcomes } = await startIdentityCenter(t)
  const byPrincipals = await readIdentityCenter(calls, options)
  const byPairs = await readIdentityCenter(calls, { ...options, assignments: 'pairs' })
  t.same(byPairs, byPrincipals)
  t.match(await outcomes(), { 'ListAccountAssignmentsForPrincipal ok': 6, 'ListAccountAssignments ok': 3 })
  const gone = uuid(99)
  center.assignments.push({
    account: accounts.data,
    permissionSet: permissionSets.admin,
    type: 'USER',
    principal: gone,
  })
  const has = (picture: typeof byPairs) => picture.assignments.some(({ principalId }) => principalId === gone)
  t.equal(has(await readIdentityCenter(calls, { ...options, assignments: 'pairs' })), true)
  t.equal(has(await readIdentityCenter(calls, options)), false)
})

t.test('small and empty pages change nothing', async (t) => {
  const plain = await startIdentityCenter(t)
  const { calls } = await startIdentityCenter(t, (center) =>
    Object.assign(center, { pageSize: 1, hasEmptyPages: true }),
  )
  for (const assignments of ['principals', 'pairs'] as const)
    t.same(
      await readIdentityCenter(calls, { ...options, assignments }),
      await readIdentityCenter(plain.calls, { ...options, assignments }),
    )
})

t.test('it has one home: elsewhere, in another organization, or not enabled, that is said', async (t) => {
  const { calls, callsIn, center, aws } = await startIdentityCenter(t)
  const elsewhere = callsIn('us-east-1')
  await t.rejects(readIdentityCenter(elsewhere, { ...options, findHome: async () => region }), {
    code: 'AWS_DENIED',
    message: new RegExp(`is in ${region}, not in us-east-1`),
    hint: new RegExp(`inventory.identity_center.region: ${region}`),
  })
  const missing = (region: string) => ({
    code: 'AWS_DENIED',
    message: new RegExp(`Identity Center of the organization is not in ${region}`),
    hint: /one home region.*not be enabled/,
  })
  await t.rejects(readIdentityCenter(elsewhere, options), missing('us-east-1'))
  await t.rejects(readIdentityCenter(calls, { ...options, managementAccount: accounts.web }), {
    code: 'AWS_DENIED',
    message: new RegExp(`is an instance of the account ${accounts.hub} alone, not of the organization`),
    hint: /management account/,
  })
  center.status = 'DELETE_IN_PROGRESS'
  await t.rejects(readIdentityCenter(calls, options), { code: 'AWS_UNAVAILABLE', message: /being made or deleted/ })
  delete aws.world.identityCenter
  await t.rejects(readIdentityCenter(calls, options), missing(region))
})

t.test('a delegated administrator reads by pairs; by principals it is refused with a reason', async (t) => {
  const { calls } = await startIdentityCenter(t, (center) => {
    center.ownerAccount = accounts.web
    center.delegatedAdministrators = [accounts.hub]
  })
  const delegated = { ...options, managementAccount: accounts.web }
  const picture = await readIdentityCenter(calls, { ...delegated, assignments: 'pairs' })
  t.equal(picture.assignments.length, 3)
  await t.rejects(readIdentityCenter(calls, delegated), {
    code: 'AWS_DENIED',
    message: /sso:ListAccountAssignmentsForPrincipal is not allowed/,
    hint: /management account/,
  })
})

t.test('a refusal or a fault amid the pages is an error, never half of it', async (t) => {
  for (const [operation, action] of [
    ['ListGroupMemberships', 'identitystore:ListGroupMemberships'],
    ['ListPermissionSets', 'sso:ListPermissionSets'],
    ['ListManagedPoliciesInPermissionSet', 'sso:ListManagedPoliciesInPermissionSet'],
    ['ListAccountAssignmentsForPrincipal', 'sso:ListAccountAssignmentsForPrincipal'],
  ] as const) {
    const { aws, calls } = await startIdentityCenter(t, (center) => Object.assign(center, { pageSize: 1 }))
    aws.faults.failOnce(operation, 2, 'AccessDeniedException')
    await t.rejects(readIdentityCenter(calls, options), {
      code: 'AWS_DENIED',
      message: new RegExp(`${action} is not allowed`),
      hint: /--feature identity-center/,
    })
  }
})

t.test('throttles are waited for, credentials that expire are renewed', async (t) => {
  const { aws, calls, clock, outcomes } = await startIdentityCenter(t)
  aws.faults.failOnce('ListUsers', 1, 'ThrottlingException')
  aws.faults.failOnce('DescribePermissionSet', 2, 'ThrottlingException')
  const held = aws.faults.hold('ListGroups')
  const reading = readIdentityCenter(calls, options)
  await held.waits
  clock.advance(3_700_000)
  held.letGo()
  t.equal((await reading).assignments.length, 3)
  t.match(await outcomes(), { 'ListUsers ok': 1, 'DescribePermissionSet ok': 2 })
})

t.test('what goes while it is read is left out', async (t) => {
  const { aws, calls, center } = await startIdentityCenter(t)
  const held = aws.faults.hold('ListGroupMemberships')
  const reading = readIdentityCenter(calls, options)
  await held.waits
  center.groups = center.groups.filter(({ id }) => id !== groups.engineers)
  held.letGo()
  const picture = await reading
  t.same(
    picture.groups.map(({ name }) => name),
    ['Admins & "Owners"', 'Pushed'],
  )
  const later = aws.faults.hold('DescribePermissionSet')
  const again = readIdentityCenter(calls, { ...options, assignments: 'pairs' })
  await later.waits
  center.permissionSets = []
  later.letGo()
  const { permissionSets: left, assignments } = await again
  t.same({ left, assignments }, { left: [], assignments: [] })
})

t.test('tags and policies that are known are not read again; progress is told, and a stop is obeyed', async (t) => {
  const { aws, calls, outcomes } = await startIdentityCenter(t)
  const told: IdentityCenterProgress[] = []
  const policies = { managed: [], customer: [], inline: null, boundary: null }
  const known = (arn: string) => (arn.endsWith('2') ? { tags: { known: 'yes' }, policies } : undefined)
  const picture = await readIdentityCenter(calls, { ...options, known, onProgress: (one) => told.push(one) })
  t.match(picture.permissionSets[1], { details: { tags: { known: 'yes' }, policies } })
  t.match(await outcomes(), { 'ListTagsForResource ok': 1, 'GetInlinePolicyForPermissionSet ok': 1 })
  t.same(
    told.filter(({ done, total }) => done === total),
    [
      { phase: 'groups', done: 3, total: 3 },
      { phase: 'permission-sets', done: 2, total: 2 },
      { phase: 'assignments', done: 6, total: 6 },
    ],
  )
  const stop = new AbortController()
  const held = aws.faults.hold('ListUsers')
  const reading = readIdentityCenter(calls, { ...options, signal: stop.signal })
  await held.waits
  stop.abort(new Error('the daemon stops'))
  await t.rejects(reading, { message: 'the daemon stops' })
  held.letGo()
})

t.test('under a key of the owner’s, a refusal to decrypt is told from a refusal to read', (t) => {
  const refused = (text: string) =>
    toIdentityCenterError(
      Object.assign(new Error(`User: x is not authorized to perform: ${text}`), { name: 'AccessDeniedException' }),
      'identitystore:ListUsers',
    )
  t.match(refused('kms:Decrypt on resource: arn:aws:kms:eu-west-1:111111111111:key/1'), {
    code: 'AWS_DENIED',
    message: /kms:Decrypt is not allowed for identitystore:ListUsers/,
    hint: /key policy .* --feature identity-center-key/,
  })
  t.match(refused('identitystore:ListUsers'), { message: /: identitystore:ListUsers is not allowed/ })
  t.end()
})
