import t from 'tap'
import type { Login } from '../../src/identity/principal.ts'
import { minute } from '../src/identity/identity-setup.ts'
import { startWithProvider } from './e-identity-provider-setup.ts'

const long = `CN=${'x'.repeat(287)}`
const odd = [long, '', 7, { name: 'sre' }, null, ['sre'], 'a\u202eb', 'x\u0000y']
const longest = 'y'.repeat(256)

t.test('E2: unusable groups are dropped at a sign-in, named in the log, and the others count', async (t) => {
  const house = await startWithProvider(t)
  house.provider.lies = { claims: { groups: ['engineering', ...odd, longest] } }
  const { login } = await house.signIn()
  t.same(login.principal.groups, ['engineering', longest])
  const line = house.logged.find((one) => one.includes('dropped')) ?? ''
  t.match(JSON.parse(line), { subject: 'eve', claim: 'groups', dropped: { length: odd.length } })
  for (const part of ['CN=xxx', '(292 characters)', '""', '7', 'sre', 'null']) t.match(line, part)
})

t.test('E2: at a probe too: no old group stays because another one is odd', async (t) => {
  for (const group of odd) {
    const house = await startWithProvider(t)
    const { login } = await house.signIn()
    house.provider.lies = { claims: { groups: ['sales', group] } }
    await house.probe()
    t.same(await house.groupsOf(login.principal.id), ['sales'], JSON.stringify(group))
    t.ok(await house.isLive(login.id))
  }
})

t.test('E2: a claim that is no list, or from userinfo, is read by the same rule', async (t) => {
  for (const groups of [{ a: 1 }, 7, true, '']) {
    const house = await startWithProvider(t)
    const { login } = await house.signIn()
    house.provider.lies = { claims: { groups } }
    await house.probe()
    t.same(await house.groupsOf(login.principal.id), [], JSON.stringify(groups))
    house.provider.lies = { claims: { groups: 'sales' } }
    await house.probe()
    t.same(await house.groupsOf(login.principal.id), ['sales'], 'one name is a list of one')
  }
  const other = await startWithProvider(t)
  other.provider.lies = { claims: { groups: undefined }, userinfo: { sub: 'eve', groups: ['sre', ...odd] } }
  t.same((await other.signIn()).login.principal.groups, ['sre'])
})

t.test('E2: as many groups as are kept all count; one more is an error that says so', async (t) => {
  const house = await startWithProvider(t)
  const most = Array.from({ length: 2000 }, (_, i) => `g${String(i).padStart(4, '0')}`)
  house.provider.lies = { claims: { groups: undefined }, userinfo: { sub: 'eve', groups: most } }
  const { login } = await house.signIn()
  t.same(login.principal.groups, most)
  house.provider.lies = { claims: { groups: undefined }, userinfo: { sub: 'eve', groups: [...most, 'one-more'] } }
  await t.rejects(house.signIn(), { code: 'LOGIN_FAILED', message: /more than 2000 groups/, hint: /send only/ })
  await house.probe()
  t.same(await house.groupsOf(login.principal.id), [], 'at a probe none stay')
  t.match(house.logged.join(''), /more than 2000 groups/)
})

t.test('E2: a service account is not made with a group less than was asked for', async (t) => {
  const house = await startWithProvider(t)
  const { login } = await house.signIn()
  const admin: Login = { ...login, roles: ['user', 'admin'] }
  for (const group of [long, '', 'a\u202eb'])
    await t.rejects(house.identity.createServiceAccount(admin, { name: 'ci', groups: ['sre', group] }), {
      code: 'INVALID_INPUT',
      message: /cannot be a group/,
    })
})

const silent = { claims: { groups: undefined } }

t.test('E3: a refresh that says nothing of groups changes none, and is logged', async (t) => {
  for (const lies of [silent, { claims: { groups: null } }, { ...silent, userinfo: { sub: 'eve', groups: null } }]) {
    const house = await startWithProvider(t)
    const { login } = await house.signIn()
    house.provider.lies = lies
    await house.probe()
    t.same(await house.groupsOf(login.principal.id), ['engineering'])
    t.match(house.logged.join(''), /sent no claim groups/)
    house.provider.lies = { claims: { groups: [] } }
    await house.probe()
    t.same(await house.groupsOf(login.principal.id), [], 'an empty list is an answer')
  }
})

t.test('E3: without an ID token the refresh is answered by userinfo, by the same rule', async (t) => {
  const house = await startWithProvider(t)
  const { login } = await house.signIn()
  house.provider.lies = { noIdToken: true }
  await house.probe()
  t.same(await house.groupsOf(login.principal.id), ['engineering'])
  house.provider.lies = { noIdToken: true, userinfo: { sub: 'eve', groups: ['sales'] } }
  await house.probe()
  t.same(await house.groupsOf(login.principal.id), ['sales'])
})

t.test('E3: a sign-in that says nothing of groups gives none, whatever was known before', async (t) => {
  const house = await startWithProvider(t)
  await house.signIn()
  house.provider.lies = silent
  t.same((await house.signIn()).login.principal.groups, [])
  t.match(house.logged.join(''), /sent no claim groups/)
})

t.test('E3: the groups are read where the configuration says, and nowhere else', async (t) => {
  const both = { claims: { groups: ['from-id-token'] }, userinfo: { sub: 'eve', groups: ['from-userinfo'] } }
  for (const [groupsSource, expected] of [
    ['any', 'from-id-token'],
    ['id_token', 'from-id-token'],
    ['userinfo', 'from-userinfo'],
  ] as const) {
    const house = await startWithProvider(t, { groupsSource })
    house.provider.lies = both
    const { login } = await house.signIn()
    t.same(login.principal.groups, [expected])
    await house.probe()
    t.same(await house.groupsOf(login.principal.id), [expected], 'at a probe too')
  }
  const house = await startWithProvider(t, { groupsSource: 'id_token' })
  house.provider.lies = { ...both, ...silent }
  t.same((await house.signIn()).login.principal.groups, [])
})

t.test('E3: groups left out because there are too many have a hint of their own', async (t) => {
  const house = await startWithProvider(t)
  const { login } = await house.signIn()
  house.provider.lies = {
    claims: { groups: undefined, _claim_names: { groups: 'src1' }, _claim_sources: { src1: {} } },
  }
  await t.rejects(house.signIn(), { code: 'LOGIN_FAILED', message: /too many groups/, hint: /Entra/ })
  await house.probe()
  t.same(await house.groupsOf(login.principal.id), ['engineering'], 'left out is not empty')
  t.match(house.logged.join(''), /_claim_names/)
  house.provider.lies = { claims: { groups: undefined, _claim_names: { other: 'src1' } } }
  await house.probe(15 * minute)
  t.match(house.logged.at(-1), /sent no claim groups/)
  house.provider.lies = { ...house.provider.lies, userinfo: { sub: 'eve', groups: ['sre'] } }
  t.same((await house.signIn()).login.principal.groups, ['sre'], 'userinfo has them')
})
