/** Claims of which session tags are made: as the newest sign-in brought them, and those that are configured alone. */
import t from 'tap'
import type { Prober } from '../../../../src/identity/logins/logins.ts'
import { readClaims } from '../../../../src/identity/oidc/oidc-claims.ts'
import { minute, startIdentity, vouched } from '../identity-setup.ts'

const names = {
  groupsClaim: 'groups',
  groupsSource: 'any',
  managerClaim: 'manager',
  loginClaim: null,
  tagClaims: ['team', 'cost', 'constructor'],
} as const

t.test('of the ID token alone, what a tag can hold', (t) => {
  const read = (idToken: object, userinfo: object = {}) =>
    readClaims({ sub: 's', ...idToken }, { ...userinfo }, names).claims.tagClaims
  t.same(read({ team: 'payments', cost: '42', other: 'x' }), { team: 'payments', cost: '42' })
  t.same(read({ team: ['payments'], cost: 42 }, { team: 'from userinfo' }), {})
  t.same(read({ team: 'a;b', cost: '' }), {})
  t.end()
})

t.test(
  'a sign-in without one leaves none; a change is heard of; those of another configuration do not count',
  async (t) => {
    const setup = await startIdentity(t, { tagClaims: ['team'] })
    const { id } = (await setup.begin('alice', 'cli', { tagClaims: { team: 'payments', old: 'x' } })).login.principal
    t.same(await setup.identity.tagClaims(id), { team: 'payments' })
    setup.changed.length = 0
    await setup.begin('alice', 'cli', { tagClaims: { team: 'billing' } })
    t.same(await setup.identity.tagClaims(id), { team: 'billing' })
    t.match(setup.changed, [{ what: 'directory', id }])
    await setup.begin('alice')
    t.same(await setup.identity.tagClaims(id), {})
    t.same(await setup.identity.tagClaims('prn_nobody'), {})
  },
)

t.test('a refresh that says nothing of a claim changes nothing of it', async (t) => {
  let answer: { tagClaims?: Record<string, string> } = {}
  const prober: Prober = async (_, keep) => {
    await keep(null)
    return vouched('alice', { ...answer, refreshToken: 'r1' })
  }
  const setup = await startIdentity(t, { tagClaims: ['team', 'cost'], prober })
  const { id } = (await setup.begin('alice', 'cli', { tagClaims: { team: 'payments', cost: '1' }, refreshToken: 'r1' }))
    .login.principal
  const probe = async (claims: typeof answer) => {
    answer = claims
    setup.time.now += 15 * minute
    await setup.identity.probe()
    return await setup.identity.tagClaims(id)
  }
  t.same(await probe({}), { team: 'payments', cost: '1' })
  t.same(await probe({ tagClaims: { team: 'billing' } }), { team: 'billing', cost: '1' })
})
