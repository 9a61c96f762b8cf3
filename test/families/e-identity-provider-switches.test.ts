/** Sign-in and probe with a real provider, under each of the ways in which providers differ. */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import t, { type Test } from 'tap'
import { createOidc, type OidcDeps } from '../../src/identity/oidc/oidc.ts'
import { createLogger } from '../../src/telemetry/logger.ts'
import { createAuthority } from '../sandbox/certificates.ts'
import type { Switches } from '../sandbox/oidc/switches.ts'
import type { OidcOptions } from '../sandbox/oidc.ts'
import { createPerson } from '../sandbox/person.ts'
import { configOf, startProvider } from '../src/http/login-setup.ts'
import { minute, startIdentity } from '../src/identity/identity-setup.ts'
import { quietFor } from '../wait-until.ts'
import { address } from './e-identity-provider-setup.ts'

t.setTimeout(240_000)

/** What is expected of one way. Default: alice signs in, stays through two probes, and keeps her group. */
interface Expected {
  readonly switches?: Switches
  readonly config?: Partial<OidcDeps['config']>
  /** The sign-in is demanded to be fresh. */
  readonly isFresh?: true
  /** The sign-in fails so; nothing follows. */
  readonly refused?: { readonly code: string; readonly message?: RegExp; readonly hint?: RegExp }
  readonly groups?: readonly string[]
  /** The login has no refresh token. */
  readonly isUnprobed?: true
  /** What the daemon's log says. */
  readonly logged?: RegExp
  /** Before the first probe. */
  readonly later?: Switches
}

const tooLate = { code: 'LOGIN_FAILED', message: /did not ask you to sign in again/ }

const ways: Readonly<Record<string, Expected>> = {
  'as in the book': {},
  'refresh tokens rotate': { switches: { rotate: true } },
  'userinfo is down once, at the sign-in': {
    switches: { lean: true, userinfo: 'down once' },
    refused: { code: 'PROVIDER_UNAVAILABLE' },
  },
  'userinfo is down once, at a probe': { switches: { lean: true, rotate: true }, later: { userinfo: 'down once' } },
  'userinfo is down, at every probe': { switches: { lean: true, rotate: true }, later: { userinfo: 'down' } },
  'a group is too long': { switches: { groups: 'long' }, logged: /"dropped":\["\\"CN=x+… \(/ },
  'a group is empty': { switches: { groups: 'empty text' }, logged: /"dropped":\["\\"\\""\]/ },
  'a group is a number': { switches: { groups: 'number' }, logged: /"dropped":\["7"\]/ },
  'a group is an object': { switches: { groups: 'object' }, logged: /"dropped":\["\{\\"name\\":\\"platform\\"\}"\]/ },
  'groups are absent': { switches: { groups: 'absent' }, groups: [], logged: /sent no claim groups/ },
  'refreshes say nothing of groups, userinfo does': { switches: { groups: 'absent later' } },
  'refreshes say nothing of groups': {
    switches: { groups: 'absent later' },
    config: { groupsSource: 'id_token' },
    logged: /sent no claim groups/,
  },
  'groups turn odd later': { later: { groups: 'long' }, logged: /cannot be used; they were dropped/ },
  'groups are left out as too many': {
    switches: { groups: 'overage' },
    refused: { code: 'LOGIN_FAILED', message: /_claim_names/, hint: /Entra ID/ },
  },
  'groups are left out as too many later': { later: { groups: 'overage' }, logged: /_claim_names/ },
  'its clock is 20 s ahead': { switches: { aheadS: 20 }, isFresh: true },
  'its clock is 20 s behind': { switches: { aheadS: -20 }, isFresh: true },
  'its clock is an hour and a half ahead': { switches: { aheadS: 5400 }, isFresh: true },
  'its clock is ten minutes behind': { switches: { aheadS: -600 } },
  'its clock is ten minutes behind, and the sign-in must be fresh': {
    switches: { aheadS: -600 },
    isFresh: true,
    refused: tooLate,
  },
  'its clock is two hours behind': {
    switches: { aheadS: -7200 },
    refused: { code: 'LOGIN_FAILED', hint: /compare the clocks/ },
  },
  'its clock falls two hours behind later': { switches: { rotate: true }, later: { aheadS: -7200 } },
  'it issues no refresh token': { switches: { noRefreshToken: true }, isUnprobed: true, logged: /cannot be probed/ },
  'it wants consent for a refresh token': { switches: { strictConsent: true }, isFresh: true },
  'it wants consent, and is not asked for it': {
    switches: { strictConsent: true },
    config: { freshPrompt: 'login' },
    isFresh: true,
    isUnprobed: true,
    logged: /cannot be probed/,
  },
  'it answers in drops': { switches: { drip: () => quietFor(20, 'a slow line') } },
}

for (const [name, way] of Object.entries(ways)) {
  t.test(`E1–E4: ${name}`, async (t) => {
    const house = await startHouse(t, { switches: way.switches ?? {} }, way.config)
    const begin = house.signIn(way.isFresh === true)
    if (way.refused) return void (await t.rejects(begin, way.refused))
    const { login } = await begin
    t.equal(login.probed, !way.isUnprobed)
    t.ok(login.authenticatedAt <= house.time.now, 'no login is younger than now')
    const groups = way.groups ?? ['engineering']
    t.same(login.principal.groups, groups)
    Object.assign(house.provider.switches, way.later)
    await house.probe(15 * minute)
    delete house.provider.switches.aheadS
    await house.probe(minute)
    const principal = await house.identity.principal(login.principal.id)
    t.equal(principal?.active, true)
    t.same(principal?.groups, groups)
    t.ok(await house.isLive(login.id))
    if (way.logged) t.match(house.logged.join(''), way.logged)
    // Whatever came before: who has left is noticed, where there is something to ask with.
    house.provider.knobs.disable('alice')
    await house.probe(15 * minute)
    await house.probe(minute)
    t.equal((await house.identity.principal(login.principal.id))?.active, way.isUnprobed === true)
  })
}

t.test('E1: it answers after a while, or not at all', async (t) => {
  const house = await startHouse(t, { switches: { rotate: true } })
  const { login } = await house.signIn(false)
  const { promise, resolve } = Promise.withResolvers<void>()
  house.provider.switches.slow = promise
  const asked = house.identity.idToken(login.id)
  await quietFor(100, 'it is slow')
  resolve()
  t.match(await asked, /^ey/)
  house.provider.switches.slow = new Promise(() => {})
  await t.rejects(house.identity.idToken(login.id), { code: 'PROVIDER_UNAVAILABLE' }, 'ten seconds, and no more')
  t.ok(await house.isLive(login.id), 'and nobody is thrown out for it')
})

t.test('E1: its certificate is vouched for by nobody known here', async (t) => {
  const tls = createAuthority('Another company').issue(['127.0.0.1'])
  const house = await startHouse(t, { tls })
  await t.rejects(house.oidc.start({ for: 'device' }), { code: 'PROVIDER_UNAVAILABLE', hint: /NODE_EXTRA_CA_CERTS/ })
})

/** The provider, a browser, the client and the broker's identity on a real store. */
async function startHouse(t: Test, options: OidcOptions, config: Partial<OidcDeps['config']> = {}) {
  const provider = await startProvider(t, options)
  let seen = ''
  const callback = createServer((request, response) => {
    seen = request.url ?? ''
    response.end('back')
  })
  await new Promise<void>((resolve) => callback.listen(0, '127.0.0.1', resolve))
  t.teardown(() => {
    callback.close()
    callback.closeAllConnections()
  })
  const publicUrl = `http://127.0.0.1:${(callback.address() as AddressInfo).port}`
  provider.allow({ redirectUri: `${publicUrl}/callback/oidc` })
  const logged: string[] = []
  const logger = createLogger({ level: 'info', destination: { write: (line: string) => logged.push(line) } })
  const clock = { now: () => Date.now() }
  const oidc = createOidc({ config: { ...configOf(provider), ...config }, publicUrl, clock, logger })
  const setup = await startIdentity(t, { prober: oidc.prober, logger })
  setup.time.now = Date.now()
  return {
    ...setup,
    provider,
    oidc,
    logged,
    signIn: async (isFresh: boolean) => {
      const strength = isFresh ? { maxAgeS: 0, acr: null } : undefined
      const { url, pending } = await oidc.start({ for: 'web', returnTo: '/' }, strength)
      await createPerson('alice').signIn(url.href)
      const vouched = await oidc.finish(pending, new URL(seen, publicUrl).searchParams)
      return await setup.identity.logins.begin(vouched, 'cli', { address })
    },
    probe: async (afterMs: number) => {
      setup.time.now += afterMs
      await setup.identity.probe()
    },
    isLive: (id: string) => setup.identity.credential({ kind: 'login', id }).then((found) => found !== undefined),
  }
}
