import t from 'tap'
import type { Prober, Vouched } from '../../../../src/identity/logins/logins.ts'
import { groupsOf, issuer, minute, startIdentity, vouched } from '../identity-setup.ts'

const address = '192.0.2.7'

t.test('groups are those of the newest sign-in; what is lost is lost first, and audited after', async (t) => {
  const setup = await startIdentity(t)
  const { login } = await setup.begin('alice', 'cli', { groups: ['b', 'a', 'a', '', 'c'] })
  const { id } = login.principal
  t.same(login.principal.groups, ['a', 'b', 'c'])
  setup.changed.length = 0
  await setup.begin('alice', 'cli', { groups: ['a', 'z'] })
  t.same((await setup.identity.principal(id))?.groups, ['a', 'z'])
  t.same(setup.changed, [
    { what: 'directory', id },
    { what: 'directory', id },
  ])
  t.match(setup.events('principal.changed'), [
    { fields: { principal: id, groups_added: [], groups_removed: ['b', 'c'], version: 3 } },
    { fields: { principal: id, groups_added: ['z'], groups_removed: [] } },
  ])
})

t.test('an unchanged person makes no event and no re-check', async (t) => {
  const setup = await startIdentity(t)
  await setup.begin('alice')
  setup.changed.length = 0
  await setup.begin('alice', 'cli', { name: 'Alice A.' })
  t.same(setup.events('principal.changed'), [])
  t.same(setup.changed, [])
})

t.test('an e-mail counts only when it is verified', async (t) => {
  const setup = await startIdentity(t)
  const { login } = await setup.begin('eve', 'cli', { email: 'bob@example.com', emailVerified: false })
  t.match(login.principal, { email: null, name: 'eve' })
  await t.rejects(setup.identity.findPrincipal('bob@example.com'), { code: 'NOT_FOUND' })
})

t.test('an e-mail that two active people have is nobody’s, and both are judged again', async (t) => {
  const setup = await startIdentity(t)
  const bob = await setup.begin('bob')
  setup.changed.length = 0
  const eve = await setup.begin('eve', 'cli', { email: 'BOB@example.com' })
  t.equal(eve.login.principal.email, null)
  t.equal((await setup.identity.principal(bob.login.principal.id))?.email, null)
  t.match(setup.changed, [{ what: 'directory', id: bob.login.principal.id }])
  await t.rejects(setup.identity.findPrincipal('bob@example.com'), { code: 'RESOURCE_AMBIGUOUS' })
  await setup.begin('eve')
  t.equal((await setup.identity.principal(bob.login.principal.id))?.email, 'bob@example.com')
  t.equal((await setup.identity.findPrincipal('Bob@Example.com')).id, bob.login.principal.id)
})

t.test('people are found by id, e-mail, user name or subject; an ambiguous name is an error', async (t) => {
  const setup = await startIdentity(t)
  const { login } = await setup.begin('alice', 'cli', { manager: 'meg@example.com' })
  const { id } = login.principal
  for (const reference of [id, 'alice@example.com', 'alice', 'sub-alice']) {
    t.equal((await setup.identity.findPrincipal(reference)).id, id, reference)
  }
  t.equal((await setup.identity.findPrincipal(id)).manager, 'meg@example.com')
  await t.rejects(setup.identity.findPrincipal('nobody'), { code: 'NOT_FOUND' })
  await setup.begin('mallory', 'cli', { username: 'alice' })
  await t.rejects(setup.identity.findPrincipal('alice'), { code: 'RESOURCE_AMBIGUOUS', message: new RegExp(id) })
  t.equal((await setup.identity.findPrincipal('alice@example.com')).id, id, 'a name can’t stand in for an e-mail')
})

t.test('names with control or bidirectional characters are not shown', async (t) => {
  const setup = await startIdentity(t)
  const { login } = await setup.begin('x', 'cli', {
    email: null,
    username: 'bob\u202e',
    name: 'a\u0007',
    groups: ['g\n'],
  })
  t.match(login.principal, { name: 'sub-x', groups: [] })
})

t.test('roles follow from groups; an admin is no auditor', async (t) => {
  const setup = await startIdentity(t)
  t.same((await setup.begin('alice')).login.roles, ['user'])
  t.same((await setup.begin('carol')).login.roles, ['user', 'auditor'])
  t.same((await setup.begin('dave')).login.roles, ['user', 'admin'])
})

t.test(
  'a row that is replaced while it is being read is read again, and is no sign of a change from outside',
  async (t) => {
    let held: Promise<void> | undefined
    const { promise: isRead, resolve: onRead } = Promise.withResolvers<void>()
    const setup = await startIdentity(t, {
      wrapDb: (db) =>
        db.withPlugin({
          transformQuery: ({ node }) => node,
          transformResult: async ({ result }) => {
            const until = held
            if (until === undefined || !result.rows.some((row) => 'email_key' in row)) return result
            held = undefined
            onRead()
            await until
            return result
          },
        }),
    })
    const { login } = await setup.begin('alice')
    const { promise, resolve } = Promise.withResolvers<void>()
    held = promise
    const reading = setup.identity.principal(login.principal.id)
    await isRead
    await setup.begin('alice', 'cli', { groups: ['finance'] })
    resolve()
    t.match(await reading, { id: login.principal.id, groups: ['finance'] })
    t.same(setup.events('store.refused'), [])
  },
)

t.test('the list of principals is paged', async (t) => {
  const setup = await startIdentity(t)
  for (const name of ['alice', 'bob', 'carol']) await setup.begin(name)
  const first = await setup.identity.principals({ limit: 2 })
  t.equal(first.items.length, 2)
  t.ok(first.next)
  const second = await setup.identity.principals({ cursor: first.next ?? '', limit: 2 })
  t.equal(second.next, null)
  const names = [...first.items, ...second.items].map(({ name }) => name).sort()
  t.same(names, ['alice@example.com', 'bob@example.com', 'carol@example.com'])
})

/** A provider whose answers are set by refresh token. */
function fakeProvider() {
  const answers = new Map<string, Vouched | 'gone' | 'unavailable'>()
  const asked: string[] = []
  const prober: Prober = async (token, keep) => {
    asked.push(token)
    const answer = answers.get(token) ?? 'unavailable'
    if (typeof answer === 'object') await keep(answer.refreshToken)
    return answer
  }
  return { answers, asked, prober }
}

t.test('a refresh brings the groups of today within fifteen minutes, and keeps a rotated token', async (t) => {
  const provider = fakeProvider()
  const setup = await startIdentity(t, { prober: provider.prober })
  const { secret, login } = await setup.begin('alice', 'cli', { refreshToken: 'r1' })
  provider.answers.set('r1', vouched('alice', { groups: ['sales'], refreshToken: 'r2' }))
  provider.answers.set('r2', vouched('alice', { groups: ['sales'] }))
  setup.time.now += 15 * minute - 1
  await setup.identity.probe()
  t.same(provider.asked, [])
  setup.time.now += 1
  await setup.identity.probe()
  t.same(provider.asked, ['r1'])
  t.same((await setup.identity.principal(login.principal.id))?.groups, ['sales'])
  t.match(setup.changed.at(-1), { what: 'directory', id: login.principal.id })
  setup.time.now += 15 * minute
  await setup.identity.probe()
  t.same(provider.asked, ['r1', 'r2'])
  const again = await setup.identity.authenticate({ bearer: secret, address })
  t.equal(again?.authenticatedAt, login.authenticatedAt, 'a refresh is no proof of presence')
})

t.test(
  'a refused refresh token makes the identity inactive and ends its logins; signing in brings it back',
  async (t) => {
    const provider = fakeProvider()
    const setup = await startIdentity(t, { prober: provider.prober })
    const { secret, login } = await setup.begin('alice', 'cli', { refreshToken: 'r1' })
    const web = await setup.begin('alice', 'web')
    const { id } = login.principal
    provider.answers.set('r1', 'gone')
    setup.time.now += 15 * minute
    await setup.identity.probe()
    t.equal((await setup.identity.principal(id))?.active, true, 'one refusal may be a mistake')
    setup.time.now += minute
    await setup.identity.probe()
    t.equal((await setup.identity.principal(id))?.active, false)
    t.match(
      setup.changed.filter(({ what }) => what === 'principal'),
      [{ id, reason: 'principal-inactive', decidedAt: setup.time.now }],
    )
    t.match(setup.events('principal.changed').at(-1), { fields: { principal: id, active: false } })
    t.equal(await setup.identity.authenticate({ bearer: secret, address }), null)
    t.equal(await setup.identity.authenticate({ cookie: web.secret, address }), null)
    t.notOk(await setup.identity.credential({ kind: 'login', id: web.login.id }))
    await setup.begin('alice')
    t.equal((await setup.identity.principal(id))?.active, true)
    t.match(setup.events('principal.changed').at(-1), { fields: { principal: id, active: true } })
  },
)

t.test('one withdrawn token of several ends its login, and not the person', async (t) => {
  const provider = fakeProvider()
  const setup = await startIdentity(t, { prober: provider.prober })
  const first = await setup.begin('alice', 'cli', { refreshToken: 'r1' })
  setup.time.now += minute
  const second = await setup.begin('alice', 'web', { refreshToken: 'r2' })
  provider.answers.set('r1', 'gone')
  provider.answers.set('r2', vouched('alice', { groups: groupsOf.alice ?? [] }))
  setup.time.now += 14 * minute
  await setup.identity.probe()
  setup.time.now += minute
  await setup.identity.probe()
  t.notOk(await setup.identity.credential({ kind: 'login', id: first.login.id }))
  t.ok(await setup.identity.credential({ kind: 'login', id: second.login.id }))
  t.equal((await setup.identity.principal(first.login.principal.id))?.active, true)
  provider.answers.set('r2', 'gone')
  setup.time.now += 15 * minute
  await setup.identity.probe()
  setup.time.now += minute
  await setup.identity.probe()
  t.equal((await setup.identity.principal(first.login.principal.id))?.active, false)
})

t.test('a provider that does not answer takes nothing away, and is asked again soon', async (t) => {
  const provider = fakeProvider()
  const setup = await startIdentity(t, { prober: provider.prober })
  const { login } = await setup.begin('alice', 'cli', { refreshToken: 'r1' })
  setup.time.now += 15 * minute
  await setup.identity.probe()
  t.ok(await setup.identity.credential({ kind: 'login', id: login.id }))
  await setup.identity.probe()
  t.same(provider.asked, ['r1'])
  setup.time.now += minute
  await setup.identity.probe()
  t.same(provider.asked, ['r1', 'r1'])
})

t.test('a refresh that answers for somebody else ends the login', async (t) => {
  const provider = fakeProvider()
  const setup = await startIdentity(t, { prober: provider.prober })
  const { login } = await setup.begin('alice', 'cli', { refreshToken: 'r1' })
  provider.answers.set('r1', vouched('bob', { issuer }))
  setup.time.now += 15 * minute
  await setup.identity.probe()
  t.notOk(await setup.identity.credential({ kind: 'login', id: login.id }))
})
