/** Identity Center as the broker changes it, against an AWS that refuses what AWS refuses. */
import t from 'tap'
import { AssignmentPlaces } from '../../../../src/aws/identity-center/assignment-places.ts'
import { PushRefused, toChangeFailure } from '../../../../src/aws/identity-center/push-refused.ts'
import { Paced } from '../../../../src/aws/paced.ts'
import { accounts, allow, arns } from '../../../sandbox/default-world.ts'
import { groups, permissionSetArn, permissionSets, users, uuid } from '../../../sandbox/identity-center-world.ts'
import { createOrganization } from '../../../sandbox/organization-world.ts'
import { signal } from '../hub-setup.ts'
import { writesContract } from './writes-contract.ts'
import { startWrites } from './writes-setup.ts'

const { readOnly, admin } = permissionSets
const key = { account: accounts.data, permissionSetArn: permissionSetArn(readOnly), userId: users.alice }

t.test('the contract, with changes that take a while', async (t) => {
  const { writes, directory } = await startWrites(t, (center) => {
    Object.assign(center, { changesTake: { polls: 2 }, pageSize: 1, hasEmptyPages: true })
  })
  await writesContract(t, {
    writes,
    directory,
    account: accounts.web,
    permissionSetArn: permissionSetArn(readOnly),
    user: { id: users.bob, userName: 'bob', email: 'bob@example.com' },
    group: groups.admins,
    unknownId: uuid(99),
  })
})

t.test('only the person’s own assignment counts, and it is there once AWS has made it', async (t) => {
  const { writes, center, outside } = await startWrites(t, (center) => Object.assign(center, { changesTake: 'told' }))
  t.equal(await writes.hasAssignment(key, signal), false, 'the group that alice is in has it')
  const ticket = await writes.createAssignment(key, signal)
  t.same(await writes.assignmentState(ticket, signal), { state: 'in-progress' })
  t.equal(await writes.hasAssignment(key, signal), false)
  t.same(await writes.changesUnderWay(signal), [{ ticket, ...key }])
  outside.endChanges()
  t.same(await writes.assignmentState(ticket, signal), { state: 'succeeded' })
  t.equal(await writes.hasAssignment(key, signal), true)
  t.same(await writes.changesUnderWay(signal), [])
  outside.forgetChanges()
  t.same(await writes.assignmentState(ticket, signal), { state: 'unknown' })
  const again = await writes.createAssignment(key, signal)
  outside.endChanges()
  t.same(await writes.assignmentState(again, signal), { state: 'succeeded' }, 'it was there already')
  t.equal(center.assignments.filter(({ principal }) => principal === users.alice).length, 1)
})

t.test('what AWS refuses has a code, words and a fix', async (t) => {
  const { writes, outside, center, aws } = await startWrites(t)
  const refused = (code: string, isLasting: boolean) => ({ name: 'PushRefused', code, isLasting })
  const theirs = outside.change(accounts.data, readOnly)
  await t.rejects(writes.createAssignment(key, signal), refused('Conflict', false))
  theirs.end()
  await t.rejects(writes.deleteAssignment(key, signal), refused('NotFound', false))
  await t.rejects(writes.createAssignment({ ...key, userId: uuid(99) }, signal), refused('NotFound', true))
  await t.rejects(
    writes.createAssignment({ ...key, permissionSetArn: permissionSetArn('ps-0000000000000009') }, signal),
    refused('NotFound', true),
  )
  const other = key.permissionSetArn.replace(/ssoins-\w+/, 'ssoins-0000000000000000')
  await t.rejects(writes.hasAssignment({ ...key, permissionSetArn: other }, signal), { code: 'AWS_DENIED' })
  await t.rejects(writes.createMembership(groups.engineers, users.alice, signal), refused('Conflict', false))
  await t.rejects(writes.createMembership(uuid(99), users.alice, signal), refused('NotFound', true))
  aws.faults.fail('CreateAccountAssignment', 'ServiceQuotaExceededException')
  await t.rejects(writes.createAssignment(key, signal), { ...refused('QuotaExceeded', true), fix: /quota/ })
  aws.faults.clear()
  aws.faults.deny('identitystore:CreateGroupMembership')
  await t.rejects(writes.createMembership(groups.admins, users.alice, signal), {
    ...refused('AccessDenied', true),
    message: /identitystore:CreateGroupMembership is not allowed/,
    fix: /aws policies --feature push-groups/,
  })
  aws.faults.clear()
  aws.faults.throttle(1000)
  const before = aws.calls.length
  await t.rejects(writes.createMembership(groups.admins, users.alice, signal), refused('Busy', false))
  t.equal(aws.calls.length, before + 1, 'what changes something is not tried again by itself')
  await t.rejects(writes.membershipId(groups.admins, users.alice, signal), { code: 'AWS_UNAVAILABLE' })
  aws.faults.clear()
  t.same(center.groups.find(({ id }) => id === groups.admins)?.members, [])
})

t.test('absent is only what the instance itself does not know', async (t) => {
  const { writes, center } = await startWrites(t)
  const gone = { ...key, permissionSetArn: permissionSetArn('ps-0000000000000009') }
  t.equal(await writes.hasAssignment(gone, signal), false)
  t.equal(await writes.membershipId(uuid(99), users.alice, signal), null)
  center.instanceId = 'ssoins-0000000000000000'
  center.identityStoreId = 'd-0000000000'
  const asks: (() => Promise<unknown>)[] = [
    () => writes.hasAssignment(key, signal),
    () => writes.membershipId(groups.admins, users.alice, signal),
    () => writes.deleteMembership(uuid(99), signal),
    () => writes.assignmentState({ change: 'delete', requestId: '00000000-0000-4000-8000-000000000000' }, signal),
  ]
  for (const ask of asks) await t.rejects(ask(), { code: 'AWS_DENIED', message: /another instance/ })
})

t.test('a change whose answer was lost is found among those under way', async (t) => {
  const { writes, aws } = await startWrites(t, (center) => Object.assign(center, { changesTake: 'told' }))
  aws.faults.loseAnswer('CreateAccountAssignment')
  await t.rejects(writes.createAssignment(key, signal), { code: 'AWS_UNAVAILABLE' })
  const [found] = await writes.changesUnderWay(signal)
  t.match(found, { ...key, ticket: { change: 'create' } })
  t.equal(writes.room('create'), 6)
  if (found) t.same(await writes.assignmentState(found.ticket, signal), { state: 'in-progress' })
  t.equal(writes.room('create'), 5, 'it takes a place once it is known')
})

t.test('more changes than AWS takes are not begun, and the last places are for removals', async (t) => {
  const { writes, outside, center } = await startWrites(t, (center) => {
    Object.assign(center, { changesTake: 'told' })
    center.permissionSets = Array.from({ length: 8 }, (_, index) => ({
      ...(center.permissionSets[0] as (typeof center.permissionSets)[number]),
      id: `ps-000000000000001${index}`,
    }))
  })
  const keyOf = (index: number) => ({ ...key, permissionSetArn: permissionSetArn(`ps-000000000000001${index}`) })
  outside.assign(accounts.data, 'ps-0000000000000016', users.alice)
  outside.assign(accounts.data, 'ps-0000000000000017', users.alice)
  const [first] = await Promise.all([0, 1, 2, 3, 4, 5].map((index) => writes.createAssignment(keyOf(index), signal)))
  await t.rejects(writes.createAssignment(keyOf(6), signal), { code: 'Busy', isLasting: false })
  await writes.deleteAssignment(keyOf(6), signal)
  await writes.deleteAssignment(keyOf(7), signal)
  await t.rejects(writes.deleteAssignment(keyOf(7), signal), { code: 'Busy' })
  t.equal(center.changes.length, 8)
  outside.endChanges()
  if (first) await writes.assignmentState(first, signal)
  t.equal(writes.room('delete'), 1)
  t.equal(writes.room('create'), 0)
})

t.test('a place is free again once AWS refused, and when nothing was heard for ten minutes', async (t) => {
  let now = 0
  const places = new AssignmentPlaces({ now: () => now, most: 3 })
  await t.rejects(
    places.begin('create', () => Promise.reject(new Error('refused'))),
    { message: 'refused' },
  )
  await places.begin('create', async () => 'a')
  t.equal(places.room('create'), 0)
  await t.rejects(
    places.begin('create', async () => 'b'),
    PushRefused,
  )
  now = 599_999
  t.equal(places.room('create'), 0)
  now = 600_000
  t.equal(places.room('create'), 1)
})

t.test('the management account: by a delegated administrator not at all, else with the hub’s own rights', async (t) => {
  const { writes, center, outside, aws } = await startWrites(t)
  const there = { ...key, account: accounts.hub, permissionSetArn: permissionSetArn(admin) }
  const failed = async () => {
    const ticket = await writes.createAssignment(there, signal)
    outside.endChanges()
    return await writes.assignmentState(ticket, signal)
  }
  t.match(await failed(), {
    state: 'failed',
    isLasting: true,
    reason: /403.*iam:GetSAMLProvider/,
    fix: /hub role needs iam:GetSAMLProvider in the management account/,
  })
  const hub = aws.world.roles.find(({ arn }) => arn === arns.hub)
  hub?.policies.push(allow(['iam:GetSAMLProvider', 'iam:*Role', 'iam:*RolePolicy', 'iam:*Boundary'], '*'))
  center.hasNewCertificate = true
  t.match(await failed(), { reason: /iam:UpdateSAMLProvider/, fix: /renewed its certificate.*iam:UpdateSAMLProvider/ })
  hub?.policies.push(allow('iam:UpdateSAMLProvider', '*'))
  t.match(await failed(), { state: 'succeeded' })
  const delegated = await startWrites(t, (center) => {
    center.ownerAccount = accounts.web
    center.delegatedAdministrators = [accounts.hub]
  })
  await t.rejects(delegated.writes.createAssignment({ ...key, account: accounts.web }, signal), {
    code: 'AccessDenied',
    fix: /delegated administrator assigns nothing in the management account/,
  })
})

t.test('a failed change has AWS’s reason', async (t) => {
  const { writes, center, aws, outside } = await startWrites(t, (_, world) => {
    world.organization = createOrganization()
  })
  const failing = async (account: string) => {
    const ticket = await writes.createAssignment({ ...key, account }, signal)
    outside.endChanges()
    return await writes.assignmentState(ticket, signal)
  }
  center.failures[accounts.data] = 'An unexpected internal service exception was encountered'
  t.match(await failing(accounts.data), { state: 'failed', isLasting: false, reason: /unexpected internal/, fix: null })
  center.failures[accounts.data] = 'Received a 409 status error: Cannot exceed quota for RolesPerAccount: 1000'
  t.match(await failing(accounts.data), { isLasting: true, fix: /quota of roles/ })
  delete center.failures[accounts.data]
  const ticket = await writes.createAssignment(key, signal)
  const account = aws.world.organization?.accounts.find(({ id }) => id === accounts.data)
  if (account) account.state = 'SUSPENDED'
  t.same(await writes.assignmentState(ticket, signal), { state: 'in-progress' })
  t.match(await writes.assignmentState(ticket, signal), { isLasting: true, reason: /not active/, fix: /suspended/ })
  t.match(toChangeFailure(undefined, false), { reason: 'AWS gave no reason', isLasting: false })
  t.match(toChangeFailure('Received a 403 status error: User: x is not authorized to perform: iam:CreateRole', false), {
    isLasting: true,
    fix: /AWSServiceRoleForSSO/,
  })
})

t.test('removals go before all that waits', async (t) => {
  const { writes, aws } = await startWrites(t, () => {}, {
    paced: new Paced({ perSecond: 1_000_000, burst: 1000, atOnce: 1 }),
  })
  await writes.instance(signal)
  const id = await writes.createMembership(groups.admins, users.alice, signal)
  const held = aws.faults.hold('ListAccountAssignments')
  const read = writes.hasAssignment(key, signal)
  await held.waits
  const before = aws.calls.length
  const all = [
    writes.membershipId(groups.admins, users.bob, signal),
    writes.assignmentState({ change: 'create', requestId: '00000000-0000-4000-8000-000000000000' }, signal),
    writes.deleteMembership(id, signal),
  ]
  await new Promise(setImmediate)
  held.letGo()
  await Promise.all([read, ...all])
  t.same(
    aws.calls.slice(before, before + 4).map(({ action }) => action),
    [
      'ListAccountAssignments',
      'DeleteGroupMembership',
      'DescribeAccountAssignmentCreationStatus',
      'GetGroupMembershipId',
    ],
  )
})

t.test('two people with one address are both found; a disabled one says so', async (t) => {
  const { directory, center } = await startWrites(t)
  for (const one of center.users) if (one.userName !== 'carol') one.email = 'Team@example.com'
  t.same((await directory.findUsers({ email: 'team@EXAMPLE.com' }, signal)).map(({ userName }) => userName).sort(), [
    'alice',
    'bob',
  ])
  t.same(await directory.findUsers({ email: '' }, signal), [])
  const externalId = { issuer: 'https://scim.example.com', id: '00u3' }
  t.same(await directory.findUsers({ externalId }, signal), [
    { id: users.carol, userName: 'carol', emails: [], isDisabled: true },
  ])
  t.same(await directory.findUsers({ userName: 'ALICE' }, signal), [
    { id: users.alice, userName: 'alice', emails: ['Team@example.com'], isDisabled: false },
  ])
})
