/** The doubles of Identity Center where they change something, by the real SDKs. */
import {
  CreateGroupMembershipCommand,
  DeleteGroupMembershipCommand,
  DescribeUserCommand,
  GetGroupMembershipIdCommand,
  GetUserIdCommand,
  IdentitystoreClient,
  IsMemberInGroupsCommand,
  ListUsersCommand,
} from '@aws-sdk/client-identitystore'
import {
  CreateAccountAssignmentCommand,
  DeleteAccountAssignmentCommand,
  DescribeAccountAssignmentCreationStatusCommand,
  ListAccountAssignmentCreationStatusCommand,
  ListAccountAssignmentDeletionStatusCommand,
  SSOAdminClient,
} from '@aws-sdk/client-sso-admin'
import t, { type Test } from 'tap'
import type { IdentityCenter, World } from '../sandbox/aws/world.ts'
import { startAws } from '../sandbox/aws.ts'
import { createClock } from '../sandbox/clock.ts'
import { accounts, allow, computeKeys, createWorld, region } from '../sandbox/default-world.ts'
import { outsideActor } from '../sandbox/identity-center-outsiders.ts'
import {
  createIdentityCenterWorld,
  groups,
  instanceId,
  permissionSetArn,
  permissionSets,
  users,
  uuid,
} from '../sandbox/identity-center-world.ts'

const InstanceArn = `arn:aws:sso:::instance/${instanceId}`
const IdentityStoreId = 'd-1234567890'
const assignment = {
  InstanceArn,
  TargetId: accounts.web,
  TargetType: 'AWS_ACCOUNT',
  PermissionSetArn: permissionSetArn(permissionSets.readOnly),
  PrincipalType: 'USER',
  PrincipalId: users.alice,
} as const
const create = (more: object = {}) => new CreateAccountAssignmentCommand({ ...assignment, ...more })
const remove = (more: object = {}) => new DeleteAccountAssignmentCommand({ ...assignment, ...more })

async function start(t: Test, change: (center: IdentityCenter, world: World) => void = () => {}) {
  const world = createWorld()
  const center = createIdentityCenterWorld()
  world.identityCenter = center
  for (const user of world.users) user.policies.push(allow(['sso:*', 'identitystore:*'], '*'))
  change(center, world)
  const clock = createClock()
  const aws = await startAws({ world, clock })
  t.teardown(() => aws.close())
  const options = { endpoint: aws.url, region, credentials: computeKeys, maxAttempts: 1 }
  const sso = new SSOAdminClient(options)
  const store = new IdentitystoreClient(options)
  t.teardown(() => {
    sso.destroy()
    store.destroy()
  })
  const statusOf = async (AccountAssignmentCreationRequestId: string | undefined) => {
    const input = { InstanceArn, AccountAssignmentCreationRequestId }
    const answer = await sso.send(new DescribeAccountAssignmentCreationStatusCommand(input))
    return answer.AccountAssignmentCreationStatus
  }
  return { center, sso, store, aws, clock, statusOf, outside: outsideActor(center) }
}

t.test('a change is under way until it was seen so, its time is over, or a test ends it', async (t) => {
  const { center, sso, clock, statusOf, outside } = await start(t)
  const begin = async () => (await sso.send(create())).AccountAssignmentCreationStatus?.RequestId
  const isThere = () => outside.isAssigned(accounts.web, permissionSets.readOnly, users.alice)
  center.changesTake = { polls: 2 }
  const polled = await begin()
  for (const status of ['IN_PROGRESS', 'IN_PROGRESS', 'SUCCEEDED']) t.match(await statusOf(polled), { Status: status })
  t.ok(isThere())
  outside.unassign(accounts.web, permissionSets.readOnly, users.alice)
  center.changesTake = { ms: 60_000 }
  const timed = await begin()
  clock.advance(59_000)
  t.match(await statusOf(timed), { Status: 'IN_PROGRESS' })
  t.notOk(isThere())
  clock.advance(1000)
  t.match(await statusOf(timed), { Status: 'SUCCEEDED', PrincipalId: users.alice, TargetId: accounts.web })
  center.changesTake = 'told'
  const told = await begin()
  t.match(await statusOf(told), { Status: 'IN_PROGRESS' })
  outside.endChanges('Received a 409 status error')
  t.match(await statusOf(told), { Status: 'FAILED', FailureReason: 'Received a 409 status error' })
  const states = async (Status?: 'FAILED') => {
    const input = { InstanceArn, ...(Status ? { Filter: { Status } } : {}) }
    const answer = await sso.send(new ListAccountAssignmentCreationStatusCommand(input))
    return answer.AccountAssignmentsCreationStatus?.map(({ RequestId }) => RequestId).sort()
  }
  t.same(await states(), [polled, timed, told].sort())
  t.same(await states('FAILED'), [told])
  const { AccountAssignmentsDeletionStatus } = await sso.send(
    new ListAccountAssignmentDeletionStatusCommand({ InstanceArn }),
  )
  t.same(AccountAssignmentsDeletionStatus, [])
})

t.test('the role of a set goes with its last assignment, and comes with the first', async (t) => {
  const { center, sso, outside } = await start(t, (center) => Object.assign(center, { changesTake: 'told' }))
  const admin = center.permissionSets.find(({ id }) => id === permissionSets.admin)
  const bob = { PermissionSetArn: permissionSetArn(permissionSets.admin), PrincipalId: users.bob }
  await sso.send(remove({ ...bob, TargetId: accounts.data }))
  outside.endChanges()
  t.same(admin?.provisionedIn, [])
  await sso.send(create(bob))
  outside.endChanges()
  t.same(admin?.provisionedIn, [accounts.web])
})

t.test('it refuses the changes that AWS refuses', async (t) => {
  const { center, sso, store, outside } = await start(t, (center) => Object.assign(center, { changesTake: 'told' }))
  const invalid = { name: 'ValidationException' }
  const unknown = { name: 'ResourceNotFoundException' }
  const conflict = { name: 'ConflictException' }
  await sso.send(create())
  const others = outside.change(accounts.data, permissionSets.readOnly)
  for (const [command, error] of [
    [create({ TargetType: 'ACCOUNT' }), invalid],
    [create({ TargetId: '1' }), invalid],
    [create({ PrincipalId: 'alice' }), invalid],
    [create({ PrincipalType: 'ROLE' }), invalid],
    [create({ PermissionSetArn: InstanceArn }), invalid],
    [create({ PermissionSetArn: permissionSetArn('ps-0000000000000009') }), unknown],
    [create({ TargetId: accounts.data, PrincipalId: uuid(99) }), unknown],
    [create({ PrincipalId: users.bob }), conflict],
    [remove(), conflict],
    [create({ TargetId: accounts.data }), conflict],
  ] as const)
    await t.rejects(sso.send(command as ReturnType<typeof create>), error, JSON.stringify(command.input))
  others.end()
  await t.rejects(sso.send(remove({ TargetId: accounts.data })), unknown, 'only the group has it')
  center.absentDeletion = 'failed'
  await sso.send(remove({ TargetId: accounts.data }))
  outside.endChanges()
  t.match(center.changes.at(-1), { status: 'FAILED' })
  center.mostChanges = 1
  outside.change(accounts.data, permissionSets.admin)
  await t.rejects(sso.send(create()), { name: 'ThrottlingException', message: /too many requests/ })

  const membership = { IdentityStoreId, GroupId: groups.engineers, MemberId: { UserId: users.alice } }
  const byName = (AttributePath: string, AttributeValue: string) => ({
    IdentityStoreId,
    AlternateIdentifier: { UniqueAttribute: { AttributePath, AttributeValue } },
  })
  for (const [command, error] of [
    [new CreateGroupMembershipCommand(membership), conflict],
    [new CreateGroupMembershipCommand({ ...membership, GroupId: uuid(99) }), { ...unknown, ResourceType: 'GROUP' }],
    [
      new CreateGroupMembershipCommand({ ...membership, MemberId: { UserId: uuid(99) } }),
      { ...unknown, ResourceType: 'USER' },
    ],
    [
      new DeleteGroupMembershipCommand({ IdentityStoreId, MembershipId: uuid(99) }),
      { ...unknown, ResourceType: 'GROUP_MEMBERSHIP' },
    ],
    [new DeleteGroupMembershipCommand({ IdentityStoreId, MembershipId: 'x' }), invalid],
    [
      new GetGroupMembershipIdCommand({ ...membership, IdentityStoreId: 'd-0000000000' }),
      { ...unknown, ResourceType: 'IDENTITY_STORE' },
    ],
    [new IsMemberInGroupsCommand({ ...membership, GroupIds: [] }), invalid],
    [new GetUserIdCommand(byName('userName', 'zoe')), { ...unknown, ResourceType: 'USER' }],
    [new GetUserIdCommand(byName('displayName', 'alice')), invalid],
    [new DescribeUserCommand({ IdentityStoreId, UserId: uuid(99) }), unknown],
    [new ListUsersCommand({ IdentityStoreId, Filters: [{ AttributePath: 'Title', AttributeValue: 'x' }] }), invalid],
  ] as const)
    await t.rejects(store.send(command as CreateGroupMembershipCommand), error, JSON.stringify(command.input))
})

t.test('both services count together how often they are called', async (t) => {
  const { center, sso, store, clock, statusOf } = await start(t)
  center.mostPerSecond = 2
  const change = (await sso.send(create())).AccountAssignmentCreationStatus
  await store.send(new ListUsersCommand({ IdentityStoreId }))
  await t.rejects(store.send(new ListUsersCommand({ IdentityStoreId })), { name: 'ThrottlingException' })
  await t.rejects(statusOf(change?.RequestId), { name: 'ThrottlingException' })
  clock.advance(1000)
  t.match(await statusOf(change?.RequestId), { Status: 'IN_PROGRESS' })
})

t.test('members come and go, and people are found by what is theirs', async (t) => {
  const { store, outside } = await start(t)
  const pair = { IdentityStoreId, GroupId: groups.admins, MemberId: { UserId: users.alice } }
  const { MembershipId } = await store.send(new CreateGroupMembershipCommand(pair))
  t.match(await store.send(new GetGroupMembershipIdCommand(pair)), { MembershipId })
  const { Results } = await store.send(
    new IsMemberInGroupsCommand({ ...pair, GroupIds: [groups.admins, groups.pushed] }),
  )
  t.same(
    Results?.map(({ MembershipExists }) => MembershipExists),
    [true, false],
  )
  await store.send(new DeleteGroupMembershipCommand({ IdentityStoreId, MembershipId }))
  await t.rejects(store.send(new GetGroupMembershipIdCommand(pair)), {
    name: 'ResourceNotFoundException',
    ResourceType: 'GROUP_MEMBERSHIP',
  })
  const idOf = async (AttributePath: string, AttributeValue: string) => {
    const AlternateIdentifier = { UniqueAttribute: { AttributePath, AttributeValue } }
    return (await store.send(new GetUserIdCommand({ IdentityStoreId, AlternateIdentifier }))).UserId
  }
  t.equal(await idOf('userName', 'Alice'), users.alice)
  t.equal(await idOf('emails.value', 'bob@example.com'), users.bob)
  const Filters = [{ AttributePath: 'UserName', AttributeValue: 'bob' }]
  t.match((await store.send(new ListUsersCommand({ IdentityStoreId, Filters }))).Users, [{ UserId: users.bob }])
  const again = outside.remakeUser(users.alice)
  t.equal(await idOf('userName', 'alice'), again)
  await t.rejects(store.send(new CreateGroupMembershipCommand(pair)), {
    name: 'ResourceNotFoundException',
    ResourceType: 'USER',
  })
})

t.test('policies are evaluated on account, instance and set; on store, group, person and membership', async (t) => {
  const { sso, store, aws } = await start(t)
  const permit = (...resources: string[]) => {
    for (const user of aws.world.users) user.policies = [allow(['sso:*', 'identitystore:*'], resources)]
  }
  const denied = { name: 'AccessDeniedException' }
  const needed = [InstanceArn, assignment.PermissionSetArn, `arn:aws:sso:::account/${accounts.web}`]
  for (const missing of needed) {
    permit(...needed.filter((one) => one !== missing))
    await t.rejects(sso.send(create()), denied, missing)
  }
  permit(...needed)
  await sso.send(create())
  const pair = { IdentityStoreId, GroupId: groups.admins, MemberId: { UserId: users.alice } }
  const of = 'arn:aws:identitystore'
  const people = [
    `${of}::${accounts.hub}:identitystore/${IdentityStoreId}`,
    `${of}:::group/${groups.admins}`,
    `${of}:::user/*`,
  ]
  for (const missing of people) {
    permit(...people.filter((one) => one !== missing))
    await t.rejects(store.send(new CreateGroupMembershipCommand(pair)), denied, missing)
  }
  permit(...people)
  const { MembershipId } = await store.send(new CreateGroupMembershipCommand(pair))
  const leave = () => store.send(new DeleteGroupMembershipCommand({ IdentityStoreId, MembershipId }))
  await t.rejects(leave(), denied)
  permit(...people, `${of}:::membership/*`)
  await leave()
})
