/** Signing in again, and logins that the provider gives no refresh token for. */
import t from 'tap'
import { createPerson } from '../sandbox/person.ts'
import { openTerminal } from '../src/cli/run-cli.ts'
import { load, problemsIn } from '../src/config/load-text.ts'
import { startLoginServer, startProvider } from '../src/http/login-setup.ts'
import { startIdentity } from '../src/identity/identity-setup.ts'
import { startWithProvider } from './e-identity-provider-setup.ts'

// Commands run as processes of their own, which takes long on a busy machine.
t.setTimeout(480_000)

t.test('E4: a fresh sign-in has a refresh token, by every door', async (t) => {
  const provider = await startProvider(t)
  const house = await startLoginServer(t, provider)
  const { begun } = house.logins
  const newest = () => begun.at(-1)?.vouched
  const alice = createPerson('alice')
  await alice.signIn(`${house.url}/login`)
  await alice.signIn(`${house.url}/login?max_age=0`)
  t.equal(begun.length, 2)
  t.type(newest()?.refreshToken, 'string', 'a browser')

  const terminal = openTerminal(t, 'alice')
  const ran = await terminal.run('login', '--fresh', '--server', house.url)
  t.match(ran, { code: 0, stdout: /^signed in to / })
  t.notMatch(ran.stderr, /refresh token/)
  t.type(newest()?.refreshToken, 'string', 'a command')

  const device = await terminal.start(['login', '--device', '--fresh', '--server', house.url], /code: +(\S+)/)
  await createPerson('alice').signIn(`${house.url}/device?max_age=0`, { user_code: device.found[1] ?? '' })
  t.match(await device.ended, { code: 0 })
  t.equal(begun.length, 4)
  t.type(newest()?.refreshToken, 'string', 'a command elsewhere')
})

t.test('E4: how the provider is asked again is a setting', async (t) => {
  const fresh = { maxAgeS: 0, acr: null }
  for (const [freshPrompt, prompt] of [
    ['login consent', 'login consent'],
    ['login', 'login'],
    [null, null],
  ] as const) {
    const { oidc } = await startWithProvider(t, { freshPrompt })
    const { url } = await oidc.start({ for: 'device' }, fresh)
    t.same([url.searchParams.get('prompt'), url.searchParams.get('max_age')], [prompt, '0'])
    t.equal((await oidc.start({ for: 'device' })).url.searchParams.get('prompt'), null, 'never in the usual case')
  }
})

t.test('E4: the setting is chosen by the scopes and the provider, unless it is set', async (t) => {
  const resolved = async (more: string, issuer = 'https://login.example.com') => {
    const server = 'version: 1\nserver:\n  public_url: http://localhost:8443\n'
    const loaded = await load(t, `${server}oidc:\n  issuer: ${issuer}\n  client_id: x\n${more}`)
    if (!loaded.ok) throw new Error(JSON.stringify(problemsIn(loaded)))
    return loaded.config
  }
  const entra = 'https://login.microsoftonline.com/3f2a/v2.0'
  t.equal((await resolved('')).oidc.freshPrompt, 'login consent')
  t.equal((await resolved('  scopes: [openid, email]\n')).oidc.freshPrompt, 'login')
  t.equal((await resolved('', entra)).oidc.freshPrompt, 'login', 'Entra ID takes one value')
  t.equal((await resolved('  fresh_prompt: login consent\n', entra)).oidc.freshPrompt, 'login consent')
  t.equal((await resolved('  fresh_prompt: max_age\n')).oidc.freshPrompt, null)
})

t.test('E4: a login that cannot be probed says so, to the person and in the lists', async (t) => {
  const provider = await startProvider(t, { switches: { noRefreshToken: true } })
  const house = await startLoginServer(t, provider)
  const browser = createPerson('alice')
  const page = await browser.signIn(`${house.url}/`)
  t.match(page.body, /issued no refresh token, so this login cannot be checked until it ends at /)
  const terminal = openTerminal(t, 'alice')
  t.match(await terminal.run('login', '--server', house.url), { code: 0, stderr: /no refresh token, so this login/ })
  t.match((await terminal.run('whoami')).stdout, /^probed +no: the identity provider issued no refresh token$/m)
  t.match(JSON.parse((await terminal.run('whoami', '--json')).stdout), { probed: false })
  delete provider.switches.noRefreshToken
  t.notMatch((await createPerson('bob').signIn(`${house.url}/`)).body, /refresh token/)

  const setup = await startIdentity(t)
  const { login } = await setup.begin('alice')
  await setup.begin('alice', 'web', { refreshToken: 'rt' })
  await setup.begin('bob', 'web', { refreshToken: 'rt' })
  const listed = (await setup.identity.principals({})).items.map(({ name, unprobedLogins }) => [name, unprobedLogins])
  t.same(listed.sort(), [
    ['alice@example.com', 1],
    ['bob@example.com', 0],
  ])
  t.same(
    setup.events('login.succeeded').map(({ fields }) => fields.probed),
    [false, true, true],
  )
  await setup.identity.logins.end(login.id, 'logout')
  t.same(
    (await setup.identity.principals({})).items.map(({ unprobedLogins }) => unprobedLogins),
    [0, 0],
  )
})

t.test('E4: no hint says to run again what changed nothing', async (t) => {
  const house = await startWithProvider(t)
  house.provider.lies = { noRefreshToken: true }
  const { login } = await house.signIn()
  const refused = await house.identity.idToken(login.id).catch((error: unknown) => error)
  t.match(refused, { code: 'LOGIN_REQUIRED', message: /no refresh token/, hint: /will not help.*oidc\.fresh_prompt/ })
  t.notMatch(JSON.stringify(refused), /login --fresh/)
  house.provider.lies = {}
  const other = await house.signIn()
  house.provider.lies = { noIdToken: true, userinfo: { sub: 'eve', groups: ['engineering'] } }
  t.match(await house.identity.idToken(other.login.id).catch((error: unknown) => error), {
    code: 'LOGIN_REQUIRED',
    hint: /let the provider return an ID token with a refresh/,
  })
  const hintFor = (id: string) => house.identity.idToken(id).catch(({ hint }: { hint: string }) => hint)
  t.match(await hintFor('api_x'), /sign in as a person/)
  t.match(await hintFor('lgn_x'), /run: sallyport login, and/)
})
