/** What the directory knows of login names: whose, from which claim, and that one of two people's is nobody's. */
import t from 'tap'
import type { Prober, Refreshed } from '../../../../src/identity/logins/logins.ts'
import { minute, startIdentity, vouched } from '../identity-setup.ts'

const named = (name: string, claim = 'login') => ({ loginName: { claim, name } })

t.test('it is what the newest sign-in brought', async (t) => {
  const setup = await startIdentity(t, { loginClaim: 'login' })
  const { id } = (await setup.begin('alice', 'cli', named('alice'))).login.principal
  t.same(await setup.identity.loginName(id), { name: 'alice' })
  await setup.begin('alice', 'cli', named('carla'))
  t.same(await setup.identity.loginName(id), { name: 'carla' })
  t.match(setup.events('principal.changed').at(-1), { fields: { principal: id, login_name_changed: true } })
  await setup.begin('alice')
  t.match(await setup.identity.loginName(id), { problem: /no login of 1–32/, hint: /sallyport login --fresh/ })
})

t.test('nothing else that a person is called takes its place', async (t) => {
  const setup = await startIdentity(t, { loginClaim: 'login' })
  const { id } = (await setup.begin('alice', 'cli', { username: 'alice', name: 'alice' })).login.principal
  t.match(await setup.identity.loginName(id), { problem: /no login/ })
  t.match(await setup.identity.loginName('prn_nobody'), { problem: /no login/ })
})

t.test('of another claim than the configured one it does not count', async (t) => {
  const setup = await startIdentity(t, { loginClaim: 'login' })
  const { id } = (await setup.begin('alice', 'cli', named('alice', 'nickname'))).login.principal
  t.match(await setup.identity.loginName(id), { problem: /no login/ })
  const without = await startIdentity(t)
  const bare = (await without.begin('alice', 'cli', named('alice'))).login.principal
  t.match(await without.identity.loginName(bare.id), { problem: /no claim .* is configured/, hint: /oidc.login_claim/ })
})

t.test('one that two people have is nobody’s, and who had it is judged again', async (t) => {
  const setup = await startIdentity(t, { loginClaim: 'login' })
  const { id: alice } = (await setup.begin('alice', 'cli', named('alice'))).login.principal
  const { id: eve } = (await setup.begin('eve', 'cli', named('eve'))).login.principal
  setup.changed.length = 0
  await setup.begin('eve', 'cli', named('alice'))
  t.match(setup.changed.at(-1), { what: 'directory', id: alice })
  for (const id of [alice, eve]) {
    const found = await setup.identity.loginName(id)
    t.match(found, { problem: /gives alice to another person too/, hint: /unique/ })
    t.notMatch(JSON.stringify(found), /eve|alice@|prn_/, 'who the other is is not said')
  }
  await setup.begin('eve', 'cli', named('eve'))
  t.same(await setup.identity.loginName(alice), { name: 'alice' })
})

t.test('a person who has left does not hold it', async (t) => {
  const setup = await startIdentity(t, { loginClaim: 'login' })
  const { id: old } = (await setup.begin('alice', 'cli', named('alice'))).login.principal
  const { id } = (await setup.begin('alina', 'cli', named('alice'))).login.principal
  t.match(await setup.identity.loginName(id), { problem: /another person/ })
  await setup.db.updateTable('principals').set({ active: 0 }).where('id', '=', old).execute()
  t.same(await setup.identity.loginName(id), { name: 'alice' })
})

t.test('a row that was changed outside the broker has none', async (t) => {
  const setup = await startIdentity(t, { loginClaim: 'login' })
  const { id } = (await setup.begin('alice', 'cli', named('alice'))).login.principal
  await setup.db.updateTable('principals').set({ login_name: 'bob' }).where('id', '=', id).execute()
  t.match(await setup.identity.loginName(id), { problem: /no login/ })
})

t.test('a refresh without the claim changes nothing, one with another name does', async (t) => {
  const answer: Refreshed = { ...vouched('alice', { refreshToken: 'r1' }), loginNameAbsent: true }
  const next = { answer }
  const prober: Prober = async (_, keep) => {
    await keep(null)
    return next.answer
  }
  const setup = await startIdentity(t, { loginClaim: 'login', prober })
  const { id } = (await setup.begin('alice', 'cli', { ...named('alice'), refreshToken: 'r1' })).login.principal
  const probe = async () => {
    setup.time.now += 15 * minute
    await setup.identity.probe()
    return await setup.identity.loginName(id)
  }
  t.same(await probe(), { name: 'alice' })
  next.answer = vouched('alice', { ...named('carla'), refreshToken: 'r1' })
  t.same(await probe(), { name: 'carla' })
  next.answer = vouched('alice', { refreshToken: 'r1' })
  t.match(await probe(), { problem: /no login/ }, 'there, and nothing that can be used')
})
