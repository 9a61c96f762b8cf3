import t from 'tap'
import type { Lies } from '../src/identity/fake-provider.ts'
import { minute } from '../src/identity/identity-setup.ts'
import { waitUntil } from '../wait-until.ts'
import { startWithProvider } from './e-identity-provider-setup.ts'

const noEmail = { email: undefined, email_verified: undefined }

t.test('E1: a rotated refresh token is kept whatever else of the answer is unusable', async (t) => {
  const hiccups: Record<string, Lies> = {
    'userinfo answers 503': { claims: noEmail, userinfo: 503 },
    'userinfo speaks of someone else': { claims: noEmail, userinfo: { sub: 'mallory' } },
    'the ID token is for another client': { claims: { aud: 'other' } },
    'the ID token has expired, by our clock': { claims: { exp: 1 } },
    'the ID token is signed by an unknown key': { strangersKey: true },
    'the subject is unusable': { noIdToken: true, userinfo: { sub: 7 } },
  }
  for (const [name, lies] of Object.entries(hiccups)) {
    const house = await startWithProvider(t)
    const { login } = await house.signIn()
    house.provider.lies = { rotate: true, ...lies }
    await house.probe()
    t.ok(await house.isLive(login.id), name)
    house.provider.lies = { rotate: true }
    await house.probe(minute)
    await house.probe()
    t.same(house.shown(), ['rt', 'rt1', 'rt2'], name)
    t.ok(await house.isLive(login.id), name)
    t.ok(await house.isActive(login.principal.id), name)
  }
})

t.test('E1: keys that cannot be fetched lose no rotated token', async (t) => {
  const house = await startWithProvider(t)
  const vouched = await house.vouch()
  const other = await startWithProvider(t) // has not fetched the keys yet
  const { login } = await other.identity.logins.begin({ ...vouched, issuer: other.provider.issuer }, 'cli', {
    address: '192.0.2.7',
  })
  other.provider.lies = { rotate: true, noKeys: true }
  await other.probe()
  other.provider.lies = { rotate: true }
  await other.probe(minute)
  t.same(other.shown(), ['rt', 'rt1'])
  t.ok(await other.isLive(login.id))
})

t.test('E1: an ID token on demand keeps the rotated token too', async (t) => {
  const house = await startWithProvider(t)
  const { login } = await house.signIn()
  house.provider.lies = { rotate: true, claims: noEmail, userinfo: 503 }
  await t.rejects(house.identity.idToken(login.id), { code: 'PROVIDER_UNAVAILABLE' })
  house.provider.lies = { rotate: true }
  t.match(await house.identity.idToken(login.id), /^ey/)
  t.same(house.shown(), ['rt', 'rt1'])
})

t.test('E1: one refusal ends nothing; the second, of the same token, ends the person', async (t) => {
  const house = await startWithProvider(t)
  const { login } = await house.signIn()
  const refuses = { token: { status: 400, body: { error: 'invalid_grant' } } }
  house.provider.lies = refuses
  await house.probe()
  await t.rejects(house.identity.idToken(login.id), { code: 'LOGIN_REQUIRED' }, 'asking again at once proves nothing')
  t.ok(await house.isLive(login.id))
  t.ok(await house.isActive(login.principal.id))
  house.provider.lies = { rotate: true }
  await house.probe(minute)
  house.provider.lies = refuses
  await house.probe()
  t.ok(await house.isActive(login.principal.id), 'an answer between two refusals takes the first one back')
  await house.restart()
  await house.probe(minute)
  t.equal(await house.isActive(login.principal.id), false, 'a restart forgets no refusal')
  t.equal(await house.isLive(login.id), false)
})

t.test('E1: a token whose answer was lost may end its login, and never the person', async (t) => {
  for (const breaksOff of ['connection', 'body', 502] as const) {
    const house = await startWithProvider(t)
    const { login } = await house.signIn()
    house.provider.lies = { rotate: true, breaksOff }
    await house.probe()
    house.provider.lies = { rotate: true }
    await house.probe(minute)
    t.ok(await house.isLive(login.id), `${breaksOff}: refused once`)
    await house.restart()
    await house.probe(minute)
    t.same(house.shown(), ['rt', 'rt', 'rt'])
    t.equal(await house.isLive(login.id), false, `${breaksOff}: the login cannot be probed any more`)
    t.ok(await house.isActive(login.principal.id), `${breaksOff}: the person has not left`)
  }
})

t.test('E1: a lost answer is no doubt once the provider has answered again', async (t) => {
  const house = await startWithProvider(t)
  const { login } = await house.signIn()
  house.provider.lies = { breaksOff: 'connection' }
  await house.probe()
  house.provider.lies = {}
  await house.probe(minute)
  house.provider.lies = { token: { status: 400, body: { error: 'invalid_grant' } } }
  await house.probe()
  await house.probe(minute)
  t.equal(await house.isActive(login.principal.id), false)
})

t.test('E1: errors of ours, and refused or busy endpoints, end nothing however often they come', async (t) => {
  const house = await startWithProvider(t)
  const { login, secret } = await house.signIn()
  const errors = [
    { status: 400, body: { error: 'unauthorized_client' } },
    { status: 401, body: { error: 'invalid_client' } },
    { status: 429 },
    { status: 503 },
  ]
  await house.probe()
  for (const token of [...errors, ...errors]) {
    house.provider.lies = { token }
    await house.probe(minute * 15)
    await house.identity.authenticate({ bearer: secret, address: '192.0.2.7' }) // else it ends as idle
  }
  t.ok(await house.isLive(login.id))
  house.provider.lies = { token: { status: 400, body: { error: 'invalid_grant' } } }
  await house.probe()
  await house.probe(minute)
  t.equal(await house.isActive(login.principal.id), false, 'and leave no doubt behind')
})

t.test('E1: a slow answer is kept by the probe that asked; the next one waits for it', async (t) => {
  const house = await startWithProvider(t)
  const { login } = await house.signIn()
  const { promise: slow, resolve } = Promise.withResolvers<void>()
  house.provider.lies = { rotate: true, slow }
  const first = house.identity.idToken(login.id)
  const second = house.identity.idToken(login.id)
  await waitUntil(() => house.shown().length > 0, 'the token endpoint is asked')
  resolve()
  await Promise.all([first, second])
  t.same(house.shown(), ['rt', 'rt1'])
})
