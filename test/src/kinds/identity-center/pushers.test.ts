/** How both kinds write grants to Identity Center, against an AWS that refuses what AWS refuses. */
import t from 'tap'
import { identityCenterGroup } from '../../../../src/kinds/identity-center-group/kind.ts'
import { permissionSet } from '../../../../src/kinds/permission-set/kind.ts'
import { accounts, region } from '../../../sandbox/default-world.ts'
import { groups, instanceId, permissionSetArn, permissionSets, users } from '../../../sandbox/identity-center-world.ts'
import { signal } from '../../aws/hub-setup.ts'
import { heldOf, startPushers } from './pushers-setup.ts'

const set = heldOf(permissionSet, `permission-set/${accounts.data}/ReadOnly`, {
  arn: permissionSetArn(permissionSets.readOnly),
})
const group = heldOf(identityCenterGroup, `identity-center-group/${groups.admins}`, { identity_store: 'd-1234567890' })

t.test('a permission set: by ticket, and seen', async (t) => {
  const {
    outside,
    pushers: { permissionSets: pusher },
  } = await startPushers(t, (center) => Object.assign(center, { changesTake: 'told' }))
  const membership = pusher.membership(set, users.alice)
  t.same(membership, {
    kind: 'permission-set',
    region,
    instance: `arn:aws:sso:::instance/${instanceId}`,
    account: accounts.data,
    what: permissionSetArn(permissionSets.readOnly),
    userId: users.alice,
  })
  t.same(await pusher.observe(membership, signal), { isThere: false })
  const ticket = await pusher.begin({ membership, to: 'present' }, signal)
  t.same(JSON.parse(JSON.stringify(ticket)), ticket)
  t.same(await pusher.poll(ticket, signal), { state: 'in-progress' })
  await t.rejects(pusher.begin({ membership, to: 'present' }, signal), {
    name: 'PushRefused',
    code: 'Conflict',
    isLasting: false,
  })
  outside.endChanges()
  t.same(await pusher.poll(ticket, signal), { state: 'succeeded' })
  t.same(await pusher.observe(membership, signal), { isThere: true })
  outside.forgetChanges()
  t.same(await pusher.poll(ticket, signal), { state: 'unknown' }, 'what AWS has forgotten')
  const removal = await pusher.begin({ membership, to: 'absent' }, signal)
  outside.endChanges('Received a 409 status error: Cannot exceed quota for RolesPerAccount: 1000')
  t.match(await pusher.poll(removal, signal), {
    state: 'failed',
    isLasting: true,
    reason: /RolesPerAccount: 1000\. Raise the quota/,
  })
  outside.unassign(accounts.data, permissionSets.readOnly, users.alice)
  await t.rejects(pusher.begin({ membership, to: 'absent' }, signal), { code: 'NotFound', isLasting: false })
})

t.test('a group: at once, by the id of the membership', async (t) => {
  const { outside, aws, pushers } = await startPushers(t)
  const pusher = pushers.groups
  const membership = pusher.membership(group, users.alice)
  t.match(membership, { instance: 'd-1234567890', account: null, what: groups.admins })
  t.same(await pusher.observe(membership, signal), { isThere: false })
  const ticket = await pusher.begin({ membership, to: 'present' }, signal)
  t.same(await pusher.poll(ticket, signal), { state: 'succeeded', externalId: ticket.externalId })
  t.same(await pusher.observe(membership, signal), { isThere: true, externalId: ticket.externalId })
  await t.rejects(pusher.begin({ membership, to: 'present' }, signal), { name: 'PushRefused', code: 'Conflict' })
  outside.leave(groups.admins, users.alice)
  const theirs = outside.join(groups.admins, users.alice)
  await pusher.begin({ membership, to: 'absent', externalId: `${ticket.externalId}` }, signal)
  t.same(await pusher.observe(membership, signal), { isThere: true, externalId: theirs }, 'that of others stays')
  const removal = await pusher.begin({ membership, to: 'absent' }, signal)
  t.same(await pusher.poll(removal, signal), { state: 'succeeded' })
  t.same(await pusher.observe(membership, signal), { isThere: false })
  aws.faults.deny('identitystore:CreateGroupMembership')
  await t.rejects(pusher.begin({ membership, to: 'present' }, signal), {
    name: 'PushRefused',
    isLasting: true,
    message: /is not allowed\. .*--feature push-groups/,
  })
})

t.test('what was not read yet cannot be given', async (t) => {
  const { permissionSets: sets, groups: teams, instance } = (await startPushers(t)).pushers
  t.throws(() => sets.membership(heldOf(permissionSet, `permission-set/${accounts.data}/ReadOnly`, {}), users.alice), {
    code: 'AWS_UNAVAILABLE',
  })
  t.throws(
    () => teams.membership(heldOf(identityCenterGroup, `identity-center-group/${groups.admins}`, {}), users.alice),
    { code: 'AWS_UNAVAILABLE' },
  )
  t.match(await instance(signal), { ownerAccount: accounts.hub })
})

t.test('what cannot be given is said beforehand', async (t) => {
  const {
    pushers: { permissionSets: sets, groups: pusher },
  } = await startPushers(t)
  const long = heldOf(permissionSet, `permission-set/${accounts.data}/ReadOnly`, {
    arn: permissionSetArn(permissionSets.readOnly),
    session_seconds: 28_800,
  })
  const refused = (longestSessionMs: number | null) => sets.refuses({ ...long, level: { longestSessionMs } })
  t.equal(refused(null), null)
  t.equal(refused(28_800_000), null)
  t.match(refused(28_799_999), { reason: /sessions of ReadOnly last 8h/, hint: /shorten/ })
  const unread = heldOf(permissionSet, `permission-set/${accounts.data}/ReadOnly`, {})
  t.match(sets.refuses({ ...unread, level: { longestSessionMs: null } }), { reason: /not been read/ })
  const fed = heldOf(identityCenterGroup, `identity-center-group/${groups.pushed}`, {
    identity_store: 'd-1234567890',
    external: true,
    title: 'Pushed',
  })
  t.match(pusher.refuses({ ...fed, level: { allowsExternal: false } }), { reason: /keeps the members of Pushed/ })
  t.equal(pusher.refuses({ ...fed, level: { allowsExternal: true } }), null)
  t.equal(await sets.refusesNow?.(set, signal), null)
  const management = heldOf(permissionSet, `permission-set/${accounts.hub}/ReadOnly`, {
    arn: permissionSetArn(permissionSets.readOnly),
  })
  t.equal(await sets.refusesNow?.(management, signal), null, 'the hub is in it')
})

t.test('a delegated administrator is told that it assigns nothing in the management account', async (t) => {
  const {
    pushers: { permissionSets: pusher },
  } = await startPushers(t, (center, world) => {
    if (world.organization) world.organization.managementAccount = accounts.data
    center.ownerAccount = accounts.data
    center.delegatedAdministrators = [accounts.hub]
  })
  t.match(await pusher.refusesNow?.(set, signal), { reason: /111122223333 is the management account/, hint: /by hand/ })
})
