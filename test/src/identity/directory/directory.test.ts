import t from 'tap'
import type { Vouched } from '../../../../src/identity/logins/logins.ts'
import { groupsOf, issuer, minute, startHouse, vouched } from '../identity-house.ts'

const address = '192.0.2.7'

t.test('groups are those of the newest sign-in; what is lost is lost first, and audited after', async (t) => {
  const house = await startHouse(t)
  const { login } = await house.begin('alice', 'cli', { groups: ['b', 'a', 'a', '', 'c'] })
  const { id } = login.principal
  t.same(login.principal.groups, ['a', 'b', 'c'])
  house.changed.length = 0
  await house.begin('alice', 'cli', { groups: ['a', 'z'] })
  t.same((await house.identity.principal(id))?.groups, ['a', 'z'])
  t.same(house.changed, [
    { what: 'directory', id },
    { what: 'directory', id },
  ])
  t.match(house.events('principal.changed'), [
    { fields: { principal: id, groups_added: [], groups_removed: ['b', 'c'], version: 2 } },
    { fields: { principal: id, groups_added: ['z'], groups_removed: [] } },
  ])
})

t.test('an unchanged person makes no event and no re-check', async (t) => {
  const house = await startHouse(t)
  await house.begin('alice')
  house.changed.length = 0
  await house.begin('alice', 'cli', { name: 'Alice A.' })
  t.same(house.events('principal.changed'), [])
  t.same(house.changed, [])
})

t.test('an e-mail counts only when it is verified', async (t) => {
  const house = await startHouse(t)
  const { login } = await house.begin('eve', 'cli', { email: 'bob@example.com', emailVerified: false })
  t.match(login.principal, { email: null, name: 'eve' })
  await t.rejects(house.identity.findPrincipal('bob@example.com'), { code: 'NOT_FOUND' })
})

t.test('an e-mail that two active people have is nobody’s, and both are judged again', async (t) => {
  const house = await startHouse(t)
  const bob = await house.begin('bob')
  house.changed.length = 0
  const eve = await house.begin('eve', 'cli', { email: 'BOB@example.com' })
  t.equal(eve.login.principal.email, null)
  t.equal((await house.identity.principal(bob.login.principal.id))?.email, null)
  t.match(house.changed, [{ what: 'directory', id: bob.login.principal.id }])
  await t.rejects(house.identity.findPrincipal('bob@example.com'), { code: 'RESOURCE_AMBIGUOUS' })
  await house.begin('eve')
  t.equal((await house.identity.principal(bob.login.principal.id))?.email, 'bob@example.com')
  t.equal((await house.identity.findPrincipal('Bob@Example.com')).id, bob.login.principal.id)
})

t.test('people are found by id, e-mail, user name or subject; an ambiguous name is an error', async (t) => {
  const house = await startHouse(t)
  const { login } = await house.begin('alice', 'cli', { manager: 'meg@example.com' })
  const { id } = login.principal
  for (const reference of [id, 'alice@example.com', 'alice', 'sub-alice']) {
    t.equal((await house.identity.findPrincipal(reference)).id, id, reference)
  }
  t.equal((await house.identity.findPrincipal(id)).manager, 'meg@example.com')
  await t.rejects(house.identity.findPrincipal('nobody'), { code: 'NOT_FOUND' })
  await house.begin('mallory', 'cli', { username: 'alice' })
  await t.rejects(house.identity.findPrincipal('alice'), { code: 'RESOURCE_AMBIGUOUS', message: new RegExp(id) })
  t.equal((await house.identity.findPrincipal('alice@example.com')).id, id, 'a name can’t stand in for an e-mail')
})

t.test('names with control or bidirectional characters are not shown', async (t) => {
  const house = await startHouse(t)
  const { login } = await house.begin('x', 'cli', {
    email: null,
    username: 'bob\u202e',
    name: 'a\u0007',
    groups: ['g\n'],
  })
  t.match(login.principal, { name: 'sub-x', groups: [] })
})

t.test('roles follow from groups; an admin is no auditor', async (t) => {
  const house = await startHouse(t)
  t.same((await house.begin('alice')).login.roles, ['user'])
  t.same((await house.begin('carol')).login.roles, ['user', 'auditor'])
  t.same((await house.begin('dave')).login.roles, ['user', 'admin'])
})

t.test('the list of principals is paged', async (t) => {
  const house = await startHouse(t)
  for (const name of ['alice', 'bob', 'carol']) await house.begin(name)
  const first = await house.identity.principals({ limit: 2 })
  t.equal(first.principals.length, 2)
  t.ok(first.next)
  const second = await house.identity.principals({ after: first.next ?? '', limit: 2 })
  t.equal(second.next, null)
  const names = [...first.principals, ...second.principals].map(({ name }) => name).sort()
  t.same(names, ['alice@example.com', 'bob@example.com', 'carol@example.com'])
})

/** A provider whose answers are set by refresh token. */
function fakeProvider() {
  const answers = new Map<string, Vouched | 'gone' | 'unavailable'>()
  const asked: string[] = []
  const prober = async (token: string) => {
    asked.push(token)
    return answers.get(token) ?? 'unavailable'
  }
  return { answers, asked, prober }
}

t.test('a refresh brings the groups of today within fifteen minutes, and keeps a rotated token', async (t) => {
  const provider = fakeProvider()
  const house = await startHouse(t, { prober: provider.prober })
  const { secret, login } = await house.begin('alice', 'cli', { refreshToken: 'r1' })
  provider.answers.set('r1', vouched('alice', { groups: ['sales'], refreshToken: 'r2' }))
  provider.answers.set('r2', vouched('alice', { groups: ['sales'] }))
  house.time.now += 15 * minute - 1
  await house.identity.sweep()
  t.same(provider.asked, [])
  house.time.now += 1
  await house.identity.sweep()
  t.same(provider.asked, ['r1'])
  t.same((await house.identity.principal(login.principal.id))?.groups, ['sales'])
  t.match(house.changed.at(-1), { what: 'directory', id: login.principal.id })
  house.time.now += 15 * minute
  await house.identity.sweep()
  t.same(provider.asked, ['r1', 'r2'])
  const again = await house.identity.authenticate({ bearer: secret, address })
  t.equal(again?.authenticatedAt, login.authenticatedAt, 'a refresh is no proof of presence')
})

t.test(
  'a refused refresh token makes the identity inactive and ends its logins; signing in brings it back',
  async (t) => {
    const provider = fakeProvider()
    const house = await startHouse(t, { prober: provider.prober })
    const { secret, login } = await house.begin('alice', 'cli', { refreshToken: 'r1' })
    const web = await house.begin('alice', 'web')
    const { id } = login.principal
    provider.answers.set('r1', 'gone')
    house.time.now += 15 * minute
    await house.identity.sweep()
    t.equal((await house.identity.principal(id))?.active, false)
    t.match(
      house.changed.filter(({ what }) => what === 'principal'),
      [{ id, reason: 'principal-inactive', decidedAt: house.time.now }],
    )
    t.match(house.events('principal.changed').at(-1), { fields: { principal: id, active: false } })
    t.equal(await house.identity.authenticate({ bearer: secret, address }), null)
    t.equal(await house.identity.authenticate({ cookie: web.secret, address }), null)
    t.equal(await house.identity.credentialLive({ kind: 'login', id: web.login.id }), false)
    await house.begin('alice')
    t.equal((await house.identity.principal(id))?.active, true)
    t.match(house.events('principal.changed').at(-1), { fields: { principal: id, active: true } })
  },
)

t.test('one withdrawn token of several ends its login, and not the person', async (t) => {
  const provider = fakeProvider()
  const house = await startHouse(t, { prober: provider.prober })
  const first = await house.begin('alice', 'cli', { refreshToken: 'r1' })
  house.time.now += minute
  const second = await house.begin('alice', 'web', { refreshToken: 'r2' })
  provider.answers.set('r1', 'gone')
  provider.answers.set('r2', vouched('alice', { groups: groupsOf.alice ?? [] }))
  house.time.now += 14 * minute
  await house.identity.sweep()
  t.equal(await house.identity.credentialLive({ kind: 'login', id: first.login.id }), false)
  t.equal(await house.identity.credentialLive({ kind: 'login', id: second.login.id }), true)
  t.equal((await house.identity.principal(first.login.principal.id))?.active, true)
  provider.answers.set('r2', 'gone')
  house.time.now += 15 * minute
  await house.identity.sweep()
  t.equal((await house.identity.principal(first.login.principal.id))?.active, false)
})

t.test('a provider that does not answer takes nothing away, and is asked again soon', async (t) => {
  const provider = fakeProvider()
  const house = await startHouse(t, { prober: provider.prober })
  const { login } = await house.begin('alice', 'cli', { refreshToken: 'r1' })
  house.time.now += 15 * minute
  await house.identity.sweep()
  t.equal(await house.identity.credentialLive({ kind: 'login', id: login.id }), true)
  await house.identity.sweep()
  t.same(provider.asked, ['r1'])
  house.time.now += minute
  await house.identity.sweep()
  t.same(provider.asked, ['r1', 'r1'])
})

t.test('a refresh that answers for somebody else ends the login', async (t) => {
  const provider = fakeProvider()
  const house = await startHouse(t, { prober: provider.prober })
  const { login } = await house.begin('alice', 'cli', { refreshToken: 'r1' })
  provider.answers.set('r1', vouched('bob', { issuer }))
  house.time.now += 15 * minute
  await house.identity.sweep()
  t.equal(await house.identity.credentialLive({ kind: 'login', id: login.id }), false)
})
