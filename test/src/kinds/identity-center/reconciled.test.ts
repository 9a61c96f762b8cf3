/**
 * Grants as Identity Center ends up with them: the reconciler by the real SDKs against an AWS that refuses what AWS refuses, with others who
 * change it too, changes that take a while, lost answers and kills.
 */
import t, { type Test } from 'tap'
import { identityCenterGroup } from '../../../../src/kinds/identity-center-group/kind.ts'
import { permissionSet } from '../../../../src/kinds/permission-set/kind.ts'
import { keyOf, type Membership } from '../../../../src/pushed/membership.ts'
import type { Pusher } from '../../../../src/pushed/pusher.ts'
import type { AssignmentChange } from '../../../sandbox/aws/assignment.ts'
import { end, underWay } from '../../../sandbox/aws/assignment-changes.ts'
import type { World as AwsWorld, IdentityCenter } from '../../../sandbox/aws/world.ts'
import { accounts } from '../../../sandbox/default-world.ts'
import { groups, permissionSetArn, permissionSets, users } from '../../../sandbox/identity-center-world.ts'
import { World } from '../../pushed/world.ts'
import { heldOf, startPushers } from './pushers-setup.ts'

const [minute, hour] = [60_000, 3_600_000]
const { readOnly } = permissionSets

const set = heldOf(permissionSet, `permission-set/${accounts.data}/ReadOnly`, { arn: permissionSetArn(readOnly) })
const group = heldOf(identityCenterGroup, `identity-center-group/${groups.admins}`, { identity_store: 'd-1234567890' })

async function start(t: Test, change: (center: IdentityCenter, world: AwsWorld) => void = () => {}) {
  const started = await startPushers(t, change)
  const { permissionSets: sets, groups: teams } = started.pushers
  const of = (membership: Membership) => (membership.account === null ? teams : sets)
  const world = new World()
  const due = new Map<AssignmentChange, number>()
  /** With changes that a test ends: by the clock of grants, which is not that of the double. */
  const timed = <R>(call: () => Promise<R>): Promise<R> => {
    const asked = byTheClock(call)
    const over = asked.then(
      () => {},
      () => {},
    )
    underway.add(over)
    void over.then(() => underway.delete(over))
    return asked
  }
  /** Calls that a killed process has sent arrive soon, or never. */
  const underway = new Set<Promise<void>>()
  const byTheClock = async <R>(call: () => Promise<R>): Promise<R> => {
    for (const change of underWay(started.center))
      if (world.now >= (due.get(change) ?? Number.POSITIVE_INFINITY)) end(started.aws.world, started.center, change)
    try {
      return await call()
    } finally {
      for (const change of underWay(started.center))
        due.set(change, due.get(change) ?? world.now + 3000 * (due.size % 5))
    }
  }
  const pusher: Pick<Pusher, 'observe' | 'begin' | 'poll' | 'firstPollMs'> = {
    firstPollMs: 1000,
    observe: (membership, signal) => timed(() => of(membership).observe(membership, signal)),
    begin: (asked, signal) => timed(() => of(asked.membership).begin(asked, signal)),
    poll: (ticket, signal) => timed(() => ('requestId' in ticket ? sets : teams).poll(ticket, signal)),
  }
  const foreign: { key: string; at: number }[] = []
  Object.assign(world.aws, {
    pusher,
    isForeign: async (membership: Membership, since: number) =>
      foreign.some(({ key, at }) => key === keyOf(membership) && at >= since),
  })
  const setOf = (user: string) => sets.membership(set, user)
  const groupOf = (user: string) => teams.membership(group, user)
  const isMember = (user: string, id: string = groups.admins) =>
    started.center.groups.some((one) => one.id === id && one.members.some(({ userId }) => userId === user))
  const isAssigned = (user: string) => started.outside.isAssigned(accounts.data, readOnly, user)
  const writes = () =>
    started.aws.calls.filter(({ action }) => /^(Create|Delete)/.test(action)).map(({ action }) => action)
  return { ...started, world, due, underway, foreign, setOf, groupOf, isMember, isAssigned, writes }
}

t.test('granted, seen there, removed, seen gone', async (t) => {
  const { world, setOf, groupOf, isMember, isAssigned, writes } = await start(t)
  for (const membership of [setOf(users.alice), groupOf(users.alice)]) {
    world.grant(membership, hour)
    await world.settle()
    t.match(world.push(membership), { state: 'granted', ownership: 'created' })
  }
  t.ok(isAssigned(users.alice) && isMember(users.alice))
  await world.settle(hour)
  t.notOk(isAssigned(users.alice) || isMember(users.alice))
  t.same(writes().sort(), [
    'CreateAccountAssignment',
    'CreateGroupMembership',
    'DeleteAccountAssignment',
    'DeleteGroupMembership',
  ])
  for (const membership of [setOf(users.alice), groupOf(users.alice)])
    t.match(world.push(membership), { state: 'gone' })
})

t.test('an answer that was lost is found as what it came to', async (t) => {
  const { world, setOf, groupOf, isMember, isAssigned, aws, writes } = await start(t)
  for (const action of ['CreateAccountAssignment', 'CreateGroupMembership']) aws.faults.loseAnswer(action)
  for (const membership of [setOf(users.alice), groupOf(users.alice)]) world.grant(membership, hour)
  await world.settle()
  for (const membership of [setOf(users.alice), groupOf(users.alice)])
    t.match(world.push(membership), { state: 'granted', ownership: 'created' })
  for (const action of ['DeleteAccountAssignment', 'DeleteGroupMembership']) aws.faults.loseAnswer(action)
  await world.settle(hour)
  await world.settle(16 * minute)
  t.notOk(isAssigned(users.alice) || isMember(users.alice))
  for (const membership of [setOf(users.alice), groupOf(users.alice)])
    t.match(world.push(membership), { state: 'gone' })
  t.equal(writes().filter((action) => action === 'CreateGroupMembership').length, 1)
})

t.test('C-1: FAILED is said with the reason, also where the account is suspended in the middle', async (t) => {
  const { world, setOf, center, isAssigned, aws } = await start(t)
  center.failures[accounts.data] = 'Received a 409 status error: Cannot exceed quota for RolesPerAccount: 1000'
  const alice = setOf(users.alice)
  world.grant(alice, 2 * hour)
  await world.settle()
  t.match(world.push(alice), { state: 'failed', isLasting: true, reason: /RolesPerAccount.*Raise the quota/ })
  delete center.failures[accounts.data]
  const account = aws.world.organization?.accounts.find(({ id }) => id === accounts.data)
  if (account) account.state = 'SUSPENDED'
  await world.settle(16 * minute)
  t.match(world.push(alice), { state: 'failed', reason: /not active/ })
  if (account) account.state = 'ACTIVE'
  await world.settle(16 * minute)
  t.match(world.push(alice), { state: 'granted' })
  t.ok(isAssigned(users.alice))
})

t.test('throttled for ten minutes, granting and taking back', async (t) => {
  const { world, setOf, groupOf, aws, isAssigned, isMember } = await start(t)
  world.grant(setOf(users.alice), hour)
  world.grant(groupOf(users.alice), hour)
  for (const [ms, isThere] of [
    [0, true],
    [hour, false],
  ] as const) {
    world.now += ms
    // What reads is tried again by the SDK, which waits in real time: only changes are throttled here.
    for (const action of ['CreateAccountAssignment', 'CreateGroupMembership'].concat(
      'DeleteAccountAssignment',
      'DeleteGroupMembership',
    ))
      aws.faults.fail(action, 'ThrottlingException')
    const until = world.now + 10 * minute
    while (world.now < until) {
      await world.pass()
      world.now += minute
    }
    t.equal(isAssigned(users.alice), !isThere)
    aws.faults.clear()
    await world.settle(6 * minute)
    t.equal(isAssigned(users.alice), isThere)
    t.equal(isMember(users.alice), isThere)
  }
})

t.test('C-4: a user is deleted, and made again under the same name', async (t) => {
  const { world, setOf, groupOf, outside, isAssigned, isMember } = await start(t)
  const [alice, bob] = [setOf(users.alice), setOf(users.bob)]
  for (const membership of [alice, groupOf(users.alice), bob]) world.grant(membership, hour)
  await world.settle()
  outside.deleteUser(users.alice)
  const again = outside.remakeUser(users.bob)
  outside.assign(accounts.data, readOnly, again)
  outside.join(groups.admins, again)
  await world.settle(hour)
  await world.settle(16 * minute)
  t.notOk(isAssigned(users.alice) || isAssigned(users.bob), 'by the stored ids')
  t.ok(isAssigned(again) && isMember(again), 'another person of the same name is left alone')
  for (const membership of [alice, groupOf(users.alice), bob]) t.match(world.push(membership), { state: 'gone' })
})

t.test('a group made anew under its name is another one; a renamed one is the same', async (t) => {
  const { world, groupOf, outside, center, isMember } = await start(t)
  const alice = groupOf(users.alice)
  world.grant(alice, hour)
  await world.settle()
  outside.renameGroup(groups.admins, 'Owners')
  await world.settle(16 * minute)
  t.match(world.push(alice), { state: 'granted' })
  const again = outside.remakeGroup(groups.admins)
  outside.join(again, users.alice)
  await world.settle(hour)
  await world.settle(16 * minute)
  t.ok(isMember(users.alice, again))
  t.match(world.push(alice), { state: 'gone' })
  t.equal(center.groups.filter(({ name }) => name === 'Owners').length, 1)
})

t.test('what others made is used and left; what they remove is given again', async (t) => {
  const { world, setOf, groupOf, outside, isAssigned, isMember } = await start(t)
  outside.assign(accounts.data, readOnly, users.alice)
  world.grant(setOf(users.alice), hour)
  world.grant(groupOf(users.bob), hour)
  await world.settle()
  t.match(world.push(setOf(users.alice)), { state: 'granted', ownership: 'pre-existing' })
  outside.restoreMembers(groups.admins, [])
  await world.settle(16 * minute)
  t.ok(isMember(users.bob))
  await world.settle(hour)
  t.ok(isAssigned(users.alice))
  t.notOk(isMember(users.bob))
  t.match(world.push(setOf(users.alice)), { state: 'outside' })
})

t.test('a set that others are changing waits for them', async (t) => {
  const { world, setOf, outside, isAssigned, due, center } = await start(t)
  const theirs = outside.change(accounts.data, readOnly)
  due.set(center.changes.at(-1) as AssignmentChange, Number.POSITIVE_INFINITY)
  world.grant(setOf(users.alice), hour)
  await world.settle()
  t.match(world.push(setOf(users.alice)), { state: 'granting', isLasting: false, reason: /in progress/ })
  theirs.end()
  await world.settle(minute)
  t.ok(isAssigned(users.alice))
})

t.test('whatever the order of grants, others and kills, AWS ends as the log says', async (t) => {
  for (const seed of [1, 2, 3, 4]) {
    const { world, setOf, groupOf, outside, foreign, isAssigned, isMember, center, aws, underway } = await start(
      t,
      (one) => Object.assign(one, { changesTake: 'told' }),
    )
    const next = random(seed)
    const chance = (share: number) => next() < share
    const any = <T>(list: readonly T[]): T => list[Math.floor(next() * list.length)] as T
    const places = [setOf(users.alice), setOf(users.bob), groupOf(users.alice), groupOf(users.carol)]
    const isThere = ({ account, userId }: Membership) => (account === null ? isMember(userId) : isAssigned(userId))
    const theirs = new Set<string>()
    const live: ReturnType<World['grant']>[] = []
    world.isKilled = () => chance(0.05)
    for (let step = 0; step < 40; step += 1) {
      const place = any(places)
      const isFree = !center.changes.some(({ status }) => status === 'IN_PROGRESS')
      const dice = next()
      if (dice < 0.3) live.push(world.grant(place, any([minute, 10 * minute, hour])))
      else if (dice < 0.4 && live.length > 0) world.end(any(live))
      else if (dice < 0.5 && isFree && !isThere(place)) {
        foreign.push({ key: keyOf(place), at: world.now })
        theirs.add(keyOf(place))
        if (place.account === null) outside.join(groups.admins, place.userId)
        else outside.assign(accounts.data, readOnly, place.userId)
      } else if (dice < 0.6 && isFree) {
        theirs.delete(keyOf(place))
        if (place.account === null) outside.leave(groups.admins, place.userId)
        else outside.unassign(accounts.data, readOnly, place.userId)
      } else if (dice < 0.7)
        aws.faults.loseAnswer(
          any(['CreateAccountAssignment', 'DeleteAccountAssignment', 'CreateGroupMembership', 'DeleteGroupMembership']),
        )
      else world.now += any([1, 500, 2000, minute, 16 * minute])
      await world.pass()
      await Promise.all(underway)
    }
    world.isKilled = () => false
    aws.faults.clear()
    for (const claim of live) world.end(claim)
    for (let times = 0; times < 4; times += 1) await world.settle(16 * minute)
    await world.settle(7 * hour)
    for (const place of places) {
      const what = `seed ${seed}: ${keyOf(place)} ${JSON.stringify(world.push(place))}`
      const push = world.push(place)
      if (theirs.has(keyOf(place))) t.ok(isThere(place), `${what} was made by others`)
      else t.ok(!isThere(place) || push?.ownership === 'uncertain', `${what} is left`)
      t.ok(push === undefined || push.state === 'gone' || push.state === 'outside', what)
    }
  }
})

/** mulberry32 */
function random(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let x = state
    x = Math.imul(x ^ (x >>> 15), x | 1)
    x ^= x + Math.imul(x ^ (x >>> 7), x | 61)
    return ((x ^ (x >>> 14)) >>> 0) / 4_294_967_296
  }
}
