import t from 'tap'
import { readClaims } from '../../../../src/identity/oidc/oidc-claims.ts'

const names = {
  groupsClaim: 'groups',
  groupsSource: 'any',
  managerClaim: 'manager',
  loginClaim: 'login',
  tagClaims: [],
} as const
const read = (claims: Record<string, unknown>) => readClaims({ sub: 's', ...claims }, {}, names)

t.test('groups are a list of names, or one name; anything else is dropped', async (t) => {
  t.same(read({ groups: ['a', 'b', 'a'] }).claims.groups, ['a', 'b'])
  t.same(read({ groups: 'a' }).claims.groups, ['a'])
  t.same(read({ groups: [] }).claims.groups, [])
  t.same(read({}).claims.groups, [])
  t.same(read({ groups: null }).claims.groups, [])
  const most = Array.from({ length: 2000 }, (_, i) => `g${i}`)
  t.equal(read({ groups: most }).claims.groups.length, 2000)
  for (const groups of [[1], [''], [['a', 'b']], { a: 1 }, ['x'.repeat(257)], [null], ['a\u202eb'], true]) {
    t.same(read({ groups }).claims.groups, [])
    t.match(read({ groups }).groups, { state: 'listed', dropped: { length: 1 } })
  }
  t.match(read({ groups: [...most, 'one-more'] }).groups, { state: 'too-many', names: [] })
  t.same(read({ groups: ['x'.repeat(256)] }).claims.groups.length, 1)
})

t.test('a subject has 1 to 255 characters', async (t) => {
  t.equal(read({ sub: 'x'.repeat(255) }).subject.length, 255)
  for (const sub of ['', 'x'.repeat(256), 7, undefined]) t.throws(() => read({ sub }), { code: 'LOGIN_FAILED' })
})

t.test('claims have the names that the configuration gives', async (t) => {
  const claims = { sub: 's', 'https://corp.example/roles': ['sre'], boss: 'm@example.com' }
  const { groups, manager } = readClaims(
    claims,
    {},
    {
      groupsClaim: 'https://corp.example/roles',
      groupsSource: 'any',
      managerClaim: 'boss',
      loginClaim: null,
      tagClaims: [],
    },
  ).claims
  t.same([groups, manager], [['sre'], 'm@example.com'])
})

t.test('an e-mail is verified only when the provider says so', async (t) => {
  for (const said of [true, 'true']) t.ok(read({ email: 'a@b', email_verified: said }).claims.emailVerified)
  for (const said of [false, 'false', 1, 'yes', null, undefined])
    t.notOk(read({ email: 'a@b', email_verified: said }).claims.emailVerified)
  t.notOk(read({ email_verified: true }).claims.emailVerified, 'of no e-mail')
})

t.test('a login name is the claim of the ID token as it is, or none', async (t) => {
  for (const name of ['alice', 'a', '0', 'a.b_c', '_', 'x'.repeat(32), '000123'])
    t.same(read({ login: name }).claims.loginName, { claim: 'login', name }, name)
  const bad = [
    '',
    'Alice',
    'alice ',
    ' alice',
    'a-b',
    'alice@example.com',
    'álice',
    'x'.repeat(33),
    'a\n',
    'a"b',
    "a'b",
    'a*',
  ]
  for (const name of [...bad, 7, true, ['alice'], { name: 'alice' }]) {
    t.equal(read({ login: name }).claims.loginName, null, JSON.stringify(name))
    t.match(read({ login: name }).loginName, { state: 'unusable' })
  }
  for (const claims of [{}, { login: null }, { preferred_username: 'alice' }])
    t.match(read(claims), { claims: { loginName: null }, loginName: { state: 'absent' } })
})

t.test('userinfo, which is not signed for us, gives no login name, and neither does another claim', async (t) => {
  t.equal(readClaims({ sub: 's' }, { login: 'alice' }, names).claims.loginName, null)
  t.match(readClaims({ sub: 's', login: 'alice' }, {}, { ...names, loginClaim: null }).loginName, { state: 'unasked' })
  t.equal(readClaims({ sub: 's' }, {}, { ...names, loginClaim: 'constructor' }).claims.loginName, null)
})
