/** The doubles of Identity Center and its identity store, by the real SDKs. */
import {
  IdentitystoreClient,
  ListGroupMembershipsCommand,
  ListGroupsCommand,
  ListUsersCommand,
} from '@aws-sdk/client-identitystore'
import {
  DescribePermissionSetCommand,
  ListAccountAssignmentsCommand,
  ListAccountAssignmentsForPrincipalCommand,
  ListInstancesCommand,
  ListPermissionSetsCommand,
  ListPermissionSetsProvisionedToAccountCommand,
  ListTrustedTokenIssuersCommand,
  SSOAdminClient,
} from '@aws-sdk/client-sso-admin'
import t, { type Test } from 'tap'
import type { IdentityCenter, World } from '../sandbox/aws/world.ts'
import { startAws } from '../sandbox/aws.ts'
import { createClock } from '../sandbox/clock.ts'
import { accounts, allow, computeKeys, createWorld, region } from '../sandbox/default-world.ts'
import {
  createIdentityCenterWorld,
  groups,
  instanceId,
  permissionSetArn,
  permissionSets,
  users,
} from '../sandbox/identity-center-world.ts'

const InstanceArn = `arn:aws:sso:::instance/${instanceId}`
const IdentityStoreId = 'd-1234567890'
const PermissionSetArn = permissionSetArn(permissionSets.readOnly)

async function start(t: Test, change: (center: IdentityCenter, world: World) => void = () => {}) {
  const world = createWorld()
  const center = createIdentityCenterWorld()
  world.identityCenter = center
  for (const user of world.users) user.policies.push(allow(['sso:*', 'identitystore:*'], '*'))
  change(center, world)
  const aws = await startAws({ world, clock: createClock() })
  t.teardown(() => aws.close())
  const options = { endpoint: aws.url, region, credentials: computeKeys, maxAttempts: 1 }
  const sso = new SSOAdminClient(options)
  const store = new IdentitystoreClient(options)
  t.teardown(() => {
    sso.destroy()
    store.destroy()
  })
  return { center, sso, store, elsewhere: () => new SSOAdminClient({ ...options, region: 'us-east-1' }) }
}

t.test('what is there is listed, in its home region alone', async (t) => {
  const { sso, elsewhere } = await start(t)
  t.match(await sso.send(new ListInstancesCommand({})), {
    Instances: [{ InstanceArn, IdentityStoreId, OwnerAccountId: accounts.hub, Status: 'ACTIVE' }],
  })
  t.same((await elsewhere().send(new ListInstancesCommand({}))).Instances, [])
  await t.rejects(elsewhere().send(new ListPermissionSetsCommand({ InstanceArn })), {
    name: 'ResourceNotFoundException',
  })
  t.same(
    (await sso.send(new ListPermissionSetsProvisionedToAccountCommand({ InstanceArn, AccountId: accounts.web })))
      .PermissionSets,
    [PermissionSetArn],
  )
})

t.test('a person’s assignments have those through groups; a filter leaves one account', async (t) => {
  const { sso } = await start(t)
  const of = async (PrincipalId: string, PrincipalType: 'USER' | 'GROUP', AccountId?: string) => {
    const Filter = AccountId === undefined ? undefined : { AccountId }
    const input = { InstanceArn, PrincipalId, PrincipalType, Filter }
    const { AccountAssignments = [] } = await sso.send(new ListAccountAssignmentsForPrincipalCommand(input))
    return AccountAssignments.map((one) => [one.AccountId, one.PrincipalType, one.PrincipalId])
  }
  t.same(await of(users.bob, 'USER'), [
    [accounts.data, 'GROUP', groups.engineers],
    [accounts.data, 'USER', users.bob],
    [accounts.web, 'GROUP', groups.engineers],
  ])
  t.same(await of(users.bob, 'USER', accounts.web), [[accounts.web, 'GROUP', groups.engineers]])
  t.same(await of(groups.engineers, 'GROUP', accounts.web), [[accounts.web, 'GROUP', groups.engineers]])
  t.same(await of(users.carol, 'USER'), [])
})

t.test('it refuses what AWS refuses', async (t) => {
  const { sso, store, center } = await start(t, (center) => Object.assign(center, { pageSize: 1 }))
  const { NextToken } = await sso.send(new ListPermissionSetsCommand({ InstanceArn }))
  const pair = { InstanceArn, PermissionSetArn, AccountId: accounts.data }
  const invalid = { name: 'ValidationException' }
  const unknown = { name: 'ResourceNotFoundException' }
  for (const [command, error] of [
    [new ListPermissionSetsCommand({ InstanceArn, MaxResults: 101 }), invalid],
    [new ListPermissionSetsCommand({ InstanceArn, MaxResults: 0 }), invalid],
    [new ListPermissionSetsCommand({ InstanceArn, NextToken: 'madeup' }), invalid],
    [new ListPermissionSetsCommand({ InstanceArn: undefined }), invalid],
    [new ListPermissionSetsCommand({ InstanceArn: `${InstanceArn}x` }), invalid],
    [new ListPermissionSetsCommand({ InstanceArn: 'arn:aws:sso:::instance/ssoins-0000000000000000' }), unknown],
    [new ListAccountAssignmentsCommand({ ...pair, NextToken }), invalid],
    [new ListAccountAssignmentsCommand({ ...pair, AccountId: '1' }), invalid],
    [new DescribePermissionSetCommand({ InstanceArn, PermissionSetArn: InstanceArn }), invalid],
    [
      new DescribePermissionSetCommand({ InstanceArn, PermissionSetArn: permissionSetArn('ps-0000000000000009') }),
      unknown,
    ],
    [new ListTrustedTokenIssuersCommand({ InstanceArn }), { name: 'UnknownOperationException' }],
  ] as const)
    await t.rejects(sso.send(command as ListPermissionSetsCommand), error, JSON.stringify(command.input))
  for (const [command, error] of [
    [new ListUsersCommand({ IdentityStoreId, MaxResults: 101 }), invalid],
    [new ListUsersCommand({ IdentityStoreId: 'd-x' }), invalid],
    [new ListUsersCommand({ IdentityStoreId: 'd-0000000000' }), unknown],
    [new ListUsersCommand({ IdentityStoreId, NextToken: 'madeup' }), invalid],
    [new ListGroupMembershipsCommand({ IdentityStoreId, GroupId: 'Engineers' }), invalid],
    [new ListGroupMembershipsCommand({ IdentityStoreId, GroupId: users.alice }), unknown],
  ] as const)
    await t.rejects(store.send(command as ListUsersCommand), error, JSON.stringify(command.input))
  center.hasEmptyPages = true
  const first = await store.send(new ListGroupsCommand({ IdentityStoreId }))
  t.match(first, { Groups: [], NextToken: /./ })
})

t.test('who may read: the owner, a delegated administrator without assignments of principals, no other', async (t) => {
  const { sso, store, center } = await start(t, (center) => {
    center.ownerAccount = accounts.web
    center.delegatedAdministrators = [accounts.hub]
  })
  await sso.send(new ListPermissionSetsCommand({ InstanceArn }))
  const denied = { name: 'AccessDeniedException' }
  const principal = { PrincipalId: users.bob, PrincipalType: 'USER' } as const
  await t.rejects(sso.send(new ListAccountAssignmentsForPrincipalCommand({ InstanceArn, ...principal })), denied)
  center.delegatedAdministrators = []
  await t.rejects(sso.send(new ListInstancesCommand({})), denied)
  await t.rejects(store.send(new ListUsersCommand({ IdentityStoreId })), denied)
})

t.test('policies are evaluated on the instance, the permission set and the identity store', async (t) => {
  const { sso, store } = await start(t, (_, { users }) => {
    for (const user of users)
      user.policies = [
        allow('sso:DescribePermissionSet', PermissionSetArn),
        allow('sso:ListPermissionSets', InstanceArn),
        allow('identitystore:ListUsers', `arn:aws:identitystore::${accounts.hub}:identitystore/${IdentityStoreId}`),
      ]
  })
  await sso.send(new ListPermissionSetsCommand({ InstanceArn }))
  await store.send(new ListUsersCommand({ IdentityStoreId }))
  const denied = { name: 'AccessDeniedException' }
  await t.rejects(
    sso.send(new DescribePermissionSetCommand({ InstanceArn, PermissionSetArn })),
    denied,
    'both are needed',
  )
  await t.rejects(store.send(new ListGroupsCommand({ IdentityStoreId })), denied)
})
