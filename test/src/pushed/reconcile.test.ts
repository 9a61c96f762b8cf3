import t from 'tap'
import { membershipOf, World } from './world.ts'

const hour = 3_600_000
const minute = 60_000

const alice = membershipOf('alice')

t.test('a grant is written to AWS, and removed when it ends', async (t) => {
  const world = new World()
  world.grant(alice, hour)
  await world.pass()
  t.match(world.push(alice), {
    state: 'granting',
    begunAt: world.now,
    underway: { to: 'present', ticket: { id: 'work-1' } },
  })
  t.notOk(world.isThere(alice))
  await world.settle(3000)
  t.match(world.push(alice), { state: 'granted', ownership: 'created' })
  t.ok(world.isThere(alice))
  await world.settle(hour)
  t.notOk(world.isThere(alice))
  t.match(world.push(alice), { state: 'gone', ownership: null, overdueSince: null })
  t.same(
    world.events.map(({ type, to }) => [type, to]),
    [
      ['begun', 'present'],
      ['granted', undefined],
      ['begun', 'absent'],
      ['removed', undefined],
    ],
  )
  t.same(world.aws.calls, ['observe', 'create', 'poll', 'observe', 'delete', 'poll', 'poll', 'observe'])
})

t.test('C-1: what AWS took and then failed is said with its reason, and is not called granted', async (t) => {
  const world = new World()
  world.aws.fault = (operation) => (operation === 'begin' ? 'fails' : null)
  world.grant(alice, hour)
  await world.pass()
  t.match(world.push(alice), { state: 'granting' })
  await world.settle(3000)
  t.match(world.push(alice), {
    state: 'failed',
    reason: 'the role quota of the account is exceeded',
    isLasting: true,
    ownership: null,
  })
  t.same(world.of('granted'), [])
  t.match(world.of('failed'), [{ push: { reason: /role quota/ } }])
  world.aws.fault = () => null
  await world.settle(16 * minute)
  t.match(world.push(alice), { state: 'granted', reason: null }, 'once there is room it is granted')
})

t.test('C-2: a membership goes with the last grant that wants it', async (t) => {
  const world = new World()
  const ten = world.now + hour
  world.grant(alice, hour)
  await world.settle()
  await world.settle(50 * minute)
  const second = world.grant(alice, 70 * minute) // 09:50 to 11:00
  await world.settle(10 * minute)
  t.ok(world.now >= ten)
  t.match(world.push(alice), { state: 'granted', wantedUntil: second.endsAt, overdueSince: null })
  await world.settle(hour)
  t.notOk(world.isThere(alice))
  t.equal(world.aws.calls.filter((call) => call === 'create').length, 1)
  t.equal(world.aws.calls.filter((call) => call === 'delete').length, 1)

  world.grant(alice, hour)
  await world.settle()
  world.now += hour
  world.grant(alice, hour) // back to back
  await world.settle()
  t.match(world.push(alice), { state: 'granted' })
  t.equal(world.aws.calls.filter((call) => call === 'delete').length, 1, 'not removed in between')
})

t.test('a grant given back early takes nothing from another one', async (t) => {
  const world = new World()
  const first = world.grant(alice, hour)
  const second = world.grant(alice, 2 * hour)
  await world.settle()
  world.end(second)
  await world.settle()
  t.match(world.push(alice), { state: 'granted', wantedUntil: first.endsAt })
  world.end(first)
  await world.settle()
  t.notOk(world.isThere(alice))
})

t.test('what was there before is used and left', async (t) => {
  const world = new World()
  world.aws.actOutside(alice, 'present')
  world.grant(alice, hour)
  await world.settle()
  t.match(world.push(alice), { state: 'granted', ownership: 'pre-existing' })
  await world.settle(hour)
  t.ok(world.isThere(alice))
  t.match(world.push(alice), { state: 'outside', ownership: 'pre-existing' })
  t.same(
    world.events.map(({ type }) => type),
    ['granted', 'outside'],
  )
  t.same(world.aws.wrongs, [])
})

t.test('what someone else asks for meanwhile is for an admin to decide', async (t) => {
  const world = new World()
  const grant = world.grant(alice, hour)
  await world.settle()
  world.now += minute
  t.ok(world.aws.actOutside(alice, 'present'))
  world.now += minute
  world.end(grant)
  await world.settle()
  t.ok(world.isThere(alice))
  t.match(world.push(alice), { state: 'outside', ownership: 'uncertain' })
})

t.test('what someone else removes is granted again while it is wanted, and gone when it is not', async (t) => {
  const world = new World()
  const grant = world.grant(alice, 5 * hour)
  await world.settle()
  world.aws.actOutside(alice, 'absent')
  await world.settle(15 * minute)
  t.ok(world.isThere(alice))
  t.match(world.push(alice), { state: 'granted', ownership: 'created' })
  world.aws.actOutside(alice, 'absent')
  world.now += 2 * minute
  world.end(grant)
  await world.settle()
  t.match(world.push(alice), { state: 'gone' })
  t.equal(world.aws.calls.filter((call) => call === 'delete').length, 0)
})

t.test('killed between the call and its answer: what is there then is ours', async (t) => {
  for (const fault of ['lost', 'cut'] as const) {
    const world = new World()
    const grant = world.grant(alice, hour)
    world.aws.fault = (operation) => (operation === 'begin' ? fault : null)
    await world.pass()
    t.match(world.push(alice), { state: 'granting', begunAt: world.now, underway: null }, 'its begin is on record')
    world.aws.fault = () => null
    world.end(grant) // and nobody wants it any more
    await world.settle(1000)
    await world.settle(16 * minute)
    t.notOk(world.isThere(alice), fault)
    t.match(world.push(alice), { state: 'gone' })
  }
})

t.test('absence is not believed while a request whose answer was lost may come true', async (t) => {
  const world = new World()
  world.aws.workMs = () => 5 * minute
  const grant = world.grant(alice, hour)
  world.aws.fault = (operation) => (operation === 'begin' ? 'lost' : null)
  await world.pass()
  world.aws.fault = () => null
  world.end(grant)
  await world.settle(2 * minute)
  t.match(world.push(alice), { state: 'granting', overdueSince: Number })
  for (let i = 0; i < 30; i++) await world.settle(minute)
  t.notOk(world.isThere(alice))
  t.match(world.push(alice), { state: 'gone' })
})

t.test('a removal counts when it is seen', async (t) => {
  const world = new World()
  const grant = world.grant(alice, hour)
  await world.settle()
  world.now += minute
  world.end(grant)
  world.aws.fault = (operation) => (operation === 'begin' ? 'throttled' : null)
  await world.settle()
  await world.settle(10 * minute)
  t.match(world.push(alice), { state: 'removing', overdueSince: grant.endsAt, reason: /Busy/ })
  t.same(world.of('removed'), [])
  world.aws.fault = () => null
  await world.settle(5 * minute)
  t.match(world.of('removed'), [{}])
})

t.test('a pass that would remove too much removes none of it, and says how many', async (t) => {
  const world = new World()
  world.mostRemovals = 2
  const people = ['a', 'b', 'c'].map((user) => membershipOf(user))
  const grants = []
  for (const one of people) {
    grants.push(world.grant(one, hour))
    await world.settle(minute)
  }
  world.grant(membershipOf('d'), 2 * minute)
  await world.settle()
  world.now += 4 * minute
  for (const grant of grants) world.end(grant)
  t.match(await world.pass(), { heldBack: 3 })
  await world.settle(3000)
  t.ok(people.every((one) => world.isThere(one)))
  t.match(
    people.map((one) => world.push(one)),
    [{ overdueSince: Number }, { overdueSince: Number }, { overdueSince: Number }],
  )
  t.notOk(world.isThere(membershipOf('d')), 'what ended by its own time does not count')
  for (let i = 0; i < 20; i++) {
    world.now += minute
    await world.pass()
  }
  t.ok(
    people.every((one) => world.isThere(one)),
    'nor one after the other, as each is looked at again',
  )
  world.mostRemovals = 3
  await world.settle()
  t.notOk(people.some((one) => world.isThere(one)))
})

t.test('what is held back is asked about as long as AWS is at work at it, so that others have its place', async (t) => {
  const world = new World()
  world.mostRemovals = 0
  const early = world.grant(alice, hour)
  await world.pass()
  t.match(world.push(alice), { state: 'granting', underway: {} })
  world.end(early)
  const bob = membershipOf('bob')
  world.grant(bob, hour)
  for (let i = 0; i < 5; i++) {
    world.now += 2000
    await world.pass()
  }
  t.match(world.push(alice), { state: 'granted', underway: null })
  t.ok(world.isThere(alice))
  t.ok(world.isThere(bob), 'in the same place of AWS')
})

t.test('a clock that is set back puts off no removal', async (t) => {
  const world = new World()
  world.aws.workMs = () => 0
  const grant = world.grant(alice, hour)
  await world.settle()
  world.now += 10 * minute
  grant.endsAt = 0 // by a clock of its own
  world.aws.fault = (operation) => (operation === 'begin' ? 'throttled' : null)
  await world.pass()
  t.match(world.push(alice), { state: 'removing' })
  world.aws.fault = () => null
  world.now -= 5 * minute
  await world.pass()
  t.notOk(world.isThere(alice))
})

t.test('nothing of a person is removed while it is not known what a grant wants', async (t) => {
  const world = new World()
  const grant = world.grant(alice, hour)
  await world.settle()
  world.now += minute
  world.end(grant)
  world.unclear = new Set(['alice'])
  await world.settle()
  t.ok(world.isThere(alice))
  world.unclear = new Set()
  await world.settle()
  t.notOk(world.isThere(alice))
})

t.test('at most eight changes at once, six of which give something, one in each place, removals first', async (t) => {
  const world = new World()
  const sets = Array.from({ length: 12 }, (_, i) => `ps-${i}`)
  for (const set of sets) for (const user of ['a', 'b']) world.grant(membershipOf(user, set), hour)
  await world.pass()
  t.equal([...world.rows.values()].filter(({ underway }) => underway).length, 6)
  for (let i = 0; i < 9; i++) await world.settle(2000)
  t.equal(world.aws.there.size, 24)
  world.now += hour
  for (const user of ['c', 'd']) for (const set of sets) world.grant(membershipOf(user, set), hour)
  world.aws.calls.length = 0
  await world.pass()
  t.same(
    world.aws.calls.filter((call) => call === 'create' || call === 'delete'),
    Array.from({ length: 8 }, () => 'delete'),
  )
})

t.test('a grant that ends while AWS is at work is removed at once', async (t) => {
  const world = new World()
  world.aws.workMs = () => 5000
  world.grant(alice, 2000)
  await world.settle()
  await world.settle(30_000)
  t.notOk(world.isThere(alice))
  t.match(world.push(alice), { state: 'gone' })
  t.same(
    world.events.map(({ type, to }) => [type, to]),
    [
      ['begun', 'present'],
      ['granted', undefined],
      ['begun', 'absent'],
      ['removed', undefined],
    ],
  )
})

t.test('what waits for a place costs neither calls nor writes', async (t) => {
  const world = new World()
  world.aws.workMs = () => 4 * minute
  for (const user of ['a', 'b', 'c', 'd']) world.grant(membershipOf(user), hour)
  await world.pass()
  const written = [...world.rows.values()].reduce((sum, { version }) => sum + version, 0)
  for (let i = 0; i < 20; i++) {
    world.now += 100
    await world.pass()
  }
  t.same(world.aws.calls.slice(0, 2), ['observe', 'create'])
  t.ok(world.aws.calls.every((call, index) => index < 2 || call === 'poll'))
  const polls = world.aws.calls.length - 2
  t.equal(
    [...world.rows.values()].reduce((sum, { version }) => sum + version, 0),
    written + polls,
  )
})
