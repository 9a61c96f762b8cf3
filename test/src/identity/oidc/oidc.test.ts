import t, { type Test } from 'tap'
import type { Vouched } from '../../../../src/identity/logins/logins.ts'
import { createOidc, type OidcDeps } from '../../../../src/identity/oidc/oidc.ts'
import type { Strength } from '../../../../src/identity/sign-in/sign-in.ts'
import { createLogger } from '../../../../src/telemetry/logger.ts'
import { configOf } from '../../http/login-setup.ts'
import { type FakeProvider, type Lies, startFakeProvider } from '../fake-provider.ts'

const publicUrl = 'https://access.example.com'

function connect(provider: FakeProvider, more: Partial<OidcDeps> = {}) {
  return createOidc({
    config: configOf(provider),
    publicUrl,
    clock: { now: () => Date.now() },
    logger: createLogger({ level: 'silent' }),
    ...more,
  })
}

/** One sign-in, of which the provider tells these lies. */
async function signIn(t: Test, lies: Lies, strength?: Strength): Promise<Vouched> {
  const provider = await startFakeProvider(t)
  provider.lies = lies
  const oidc = connect(provider)
  const { url, pending } = await oidc.start({ for: 'web', returnTo: '/' }, strength)
  const response = await fetch(url, { redirect: 'manual' })
  return oidc.finish(pending, new URL(response.headers.get('location') ?? '').searchParams)
}

const refused = { code: 'LOGIN_FAILED', message: /failed validation/ }

t.test('an honest provider is believed', async (t) => {
  t.match(await signIn(t, {}), {
    subject: 'eve',
    claims: { groups: ['engineering'], manager: null },
    refreshToken: 'rt',
  })
})

t.test('an ID token that is not for this sign-in, this client, of this issuer, in time, is refused', async (t) => {
  const now = Math.floor(Date.now() / 1000)
  const lies: Record<string, Lies> = {
    'another nonce': { claims: { nonce: 'other' } },
    'no nonce': { claims: { nonce: undefined } },
    'another issuer': { claims: { iss: 'https://evil.example' } },
    'another audience': { claims: { aud: 'other' } },
    'two audiences, another party': { claims: { aud: ['sallyport', 'other'], azp: 'other' } },
    expired: { claims: { exp: now - 60 } },
    'from the future': { claims: { nbf: now + 600 } },
    unsigned: { unsigned: true },
    'signed by a stranger': { strangersKey: true },
    'no ID token': { noIdToken: true },
  }
  for (const [name, lie] of Object.entries(lies)) await t.rejects(signIn(t, lie), refused, name)
})

t.test('a discovery document of another issuer is refused', async (t) => {
  await t.rejects(signIn(t, { discovery: { issuer: 'https://evil.example' } }), refused)
})

t.test('a provider that refuses, or has no answer', async (t) => {
  const invalid = { status: 400, body: { error: 'invalid_grant', error_description: 'x' } }
  await t.rejects(signIn(t, { token: invalid }), { code: 'LOGIN_FAILED', message: /refused it \(invalid_grant\)/ })
  await t.rejects(signIn(t, { token: { status: 500 } }), { code: 'PROVIDER_UNAVAILABLE' })
  await t.rejects(signIn(t, { token: { status: 429 } }), { code: 'PROVIDER_UNAVAILABLE' })
})

t.test('no redirect is followed with the code and the secret', async (t) => {
  const thief = await startFakeProvider(t)
  await t.rejects(signIn(t, { token: { status: 307, location: `${thief.issuer}/token` } }), { code: 'LOGIN_FAILED' })
  t.same(thief.posts, [])
})

t.test('the secret is shown in the way the provider announces', async (t) => {
  const ways = [
    ['client_secret_post', 'very secret/+', undefined],
    // RFC 6749, section 2.3.1: both are form-encoded before base64
    ['client_secret_basic', null, `Basic ${Buffer.from('sallyport:very+secret%2F%2B').toString('base64')}`],
  ] as const
  for (const [way, inBody, inHeader] of ways) {
    const provider = await startFakeProvider(t)
    provider.lies = { discovery: { token_endpoint_auth_methods_supported: [way] } }
    await connect(provider).prober('rt0', async () => {})
    t.equal(provider.posts[0]?.body.get('client_secret'), inBody)
    t.equal(provider.posts[0]?.authorization, inHeader)
    t.equal(provider.posts[0]?.body.get('refresh_token'), 'rt0')
  }
})

t.test('what the ID token leaves out comes from userinfo, of the same person', async (t) => {
  const bare = { groups: undefined, email: undefined, email_verified: undefined }
  const userinfo = { sub: 'eve', groups: ['sre'], email: 'eve@corp.example', email_verified: 'true' }
  t.match(await signIn(t, { claims: bare, userinfo }), {
    claims: { groups: ['sre'], email: 'eve@corp.example', emailVerified: true },
  })
  await t.rejects(signIn(t, { claims: bare, userinfo: { ...userinfo, sub: 'mallory' } }), refused)
  await t.rejects(signIn(t, { claims: bare, userinfo: 500 }), { code: 'PROVIDER_UNAVAILABLE' }, 'not: no groups')
  t.match(await signIn(t, { claims: bare, noUserinfo: true }), { claims: { groups: [], email: null } })
})

t.test('a verified flag never adorns an e-mail it was not said of', async (t) => {
  const claims = { email: 'ceo@example.com', email_verified: undefined, groups: undefined }
  const userinfo = { sub: 'eve', email: 'eve@example.com', email_verified: true }
  t.match(await signIn(t, { claims, userinfo }), { claims: { email: 'ceo@example.com', emailVerified: false } })
})

t.test('step-up believes only what the provider says of the time', async (t) => {
  const now = Math.floor(Date.now() / 1000)
  const fresh = { maxAgeS: 0, acr: null }
  const old = { claims: { auth_time: now - 3600 } }
  const silent = { claims: { auth_time: undefined } }
  t.match(await signIn(t, old), { authenticatedAt: (now - 3600) * 1000 })
  await t.rejects(signIn(t, old, fresh), { code: 'LOGIN_FAILED', message: /did not ask you to sign in again/ })
  await t.rejects(signIn(t, old, { maxAgeS: 60, acr: null }), { code: 'LOGIN_FAILED' })
  t.match(await signIn(t, old, { maxAgeS: 7200, acr: null }), { subject: 'eve' })
  t.match(await signIn(t, silent), { authenticatedAt: 0 }, 'unknown is long ago')
  await t.rejects(signIn(t, silent, fresh), { code: 'LOGIN_FAILED', message: /auth_time/ })
  const ancient = { claims: { auth_time: now - 25 * 3600 } }
  await t.rejects(signIn(t, ancient), { code: 'LOGIN_FAILED' }, 'older than session_max')
})

t.test('step-up asks for what it needs', async (t) => {
  const provider = await startFakeProvider(t)
  const { url } = await connect(provider).start({ for: 'web', returnTo: '/' }, { maxAgeS: 0, acr: 'urn:mfa' })
  const { max_age, prompt, acr_values } = Object.fromEntries(url.searchParams)
  t.same({ max_age, prompt, acr_values }, { max_age: '0', prompt: 'login consent', acr_values: 'urn:mfa' })
})

t.test('a probe tells gone from silent', async (t) => {
  const provider = await startFakeProvider(t)
  const oidc = connect(provider)
  provider.lies = { token: { status: 400, body: { error: 'invalid_grant' } } }
  t.equal(await oidc.prober('rt', async () => {}), 'gone')
  provider.lies = { token: { status: 400, body: { error: 'unauthorized_client' } } }
  t.equal(await oidc.prober('rt', async () => {}), 'unavailable', 'our own misconfiguration ends nobody')
  provider.lies = { token: { status: 502 } }
  t.equal(await oidc.prober('rt', async () => {}), 'lost', 'it may have been spent')
  provider.lies = { noIdToken: true, userinfo: { sub: 'eve', groups: ['sre'], email: 'e@example.com' } }
  t.match(
    await oidc.prober('rt', async () => {}),
    { subject: 'eve', claims: { groups: ['sre'] } },
    'userinfo stands in',
  )
})

t.test('plain HTTP is for a provider on this machine only', async (t) => {
  const provider = await startFakeProvider(t)
  const oidc = connect({ ...provider, issuer: 'http://login.example.com' })
  await t.rejects(oidc.start({ for: 'device' }), { code: 'LOGIN_FAILED' })
})

t.test('callers at one time share one discovery; a failure is not kept', async (t) => {
  const provider = await startFakeProvider(t)
  let asked = 0
  let isDown = true
  const oidc = connect(provider, {
    fetch: async (url, init) => {
      if (url.includes('.well-known')) asked += 1
      if (isDown) throw new TypeError('fetch failed')
      return fetch(url, init as RequestInit)
    },
  })
  const both = await Promise.allSettled([oidc.start({ for: 'device' }), oidc.start({ for: 'device' })])
  t.match(both, [{ reason: { code: 'PROVIDER_UNAVAILABLE' } }, { reason: { code: 'PROVIDER_UNAVAILABLE' } }])
  t.equal(asked, 2, 'tried twice, once for both')
  isDown = false
  await oidc.start({ for: 'device' })
  await oidc.start({ for: 'device' })
  t.equal(asked, 3)
})

t.test('logout tokens must be the provider’s, for us, young, and about logging out', async (t) => {
  const provider = await startFakeProvider(t)
  const { readLogoutToken } = connect(provider)
  t.same(await readLogoutToken(await provider.logoutToken()), { issuer: provider.issuer, subject: 'eve' })
  t.same(await readLogoutToken(await provider.logoutToken({ sub: undefined, sid: 's1' })), {
    issuer: provider.issuer,
    sid: 's1',
  })
  const now = Math.floor(Date.now() / 1000)
  const wrong = [
    { iss: 'https://evil.example' },
    { aud: 'other' },
    { iat: now - 3600 },
    { exp: now - 60 },
    { events: {} },
    { events: undefined },
    { nonce: 'n' },
    { jti: undefined },
    { sub: undefined },
  ]
  for (const claims of wrong)
    await t.rejects(
      provider.logoutToken(claims).then(readLogoutToken),
      { code: 'LOGIN_FAILED' },
      JSON.stringify(claims),
    )
  await t.rejects(readLogoutToken('eyJhbGciOiJub25lIn0.e30.'), { code: 'LOGIN_FAILED' })
})
