import t from 'tap'
import { createPerson } from '../../sandbox/person.ts'
import { startLoginServer, startProvider } from './login-setup.ts'

t.test('a person signs in with the browser and comes back to where they were going', async (t) => {
  const provider = await startProvider(t)
  const { url, logins } = await startLoginServer(t, provider)
  const alice = createPerson('alice')
  const before = await alice.fetch(`${url}/`)
  t.equal(before.status, 303)
  t.equal(before.headers.get('location'), '/login?return_to=%2F')
  const page = await alice.signIn(`${url}/login?return_to=/%3Fa=1`)
  t.equal(page.url, `${url}/?a=1`)
  t.equal(page.status, 200)
  t.match(page.body, /alice@example\.com/)
  t.match(page.body, /engineering/)
  t.match(page.body, new RegExp(`sallyport login --server ${url}`))
  const [begun] = logins.begun
  t.match(begun, {
    via: 'web',
    vouched: {
      issuer: provider.issuer,
      subject: 'alice',
      claims: {
        email: 'alice@example.com',
        emailVerified: true,
        name: 'Alice',
        username: 'alice',
        groups: ['engineering'],
        manager: 'bob@example.com',
      },
    },
  })
  t.ok(begun?.vouched.refreshToken, 'a refresh token for the probe')
  t.ok(Math.abs((begun?.vouched.authenticatedAt ?? 0) - Date.now()) < 15_000, 'the provider said when')
})

t.test('the session cookie is for this host, this site and no script', async (t) => {
  const provider = await startProvider(t)
  const { url } = await startLoginServer(t, provider)
  const cookies: string[] = []
  const alice = createPerson('alice')
  let response = await alice.fetch(`${url}/login`)
  cookies.push(...response.headers.getSetCookie())
  const page = await alice.open(response.headers.get('location') ?? '')
  const [form] = page.forms
  response = await alice.fetch(new URL(form?.action ?? '', page.url).href, {
    method: 'POST',
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    body: 'username=alice&password=sandbox',
  })
  while (response.status >= 300 && response.status < 400) {
    response = await alice.fetch(new URL(response.headers.get('location') ?? '', provider.issuer).href)
    cookies.push(...response.headers.getSetCookie().filter((line) => line.startsWith('sallyport')))
  }
  const session = cookies.find((line) => /^sallyport=/.test(line)) ?? ''
  t.match(session, /HttpOnly/)
  t.match(session, /SameSite=Lax/)
  t.match(session, /Path=\//)
  t.match(session, /Max-Age=86[34]\d\d/)
  const signIn = cookies.filter((line) => /^sallyport-sign-in-[\w-]{43}=/.test(line))
  t.match(signIn[0], /HttpOnly/)
  t.match(signIn[0], /Max-Age=600/)
  t.match(signIn[1], /Expires=Thu, 01 Jan 1970/, 'spent at the callback')
})

t.test('behind HTTPS the cookies are bound to the host', async (t) => {
  const provider = await startProvider(t)
  const { url } = await startLoginServer(t, provider, { publicUrl: 'https://access.example.com' })
  const response = await fetch(`${url}/login`, { redirect: 'manual' })
  const [cookie = ''] = response.headers.getSetCookie()
  t.match(cookie, /^__Host-sallyport-sign-in-[\w-]{43}=/)
  t.match(cookie, /; Secure/)
  t.notMatch(cookie, /Domain/)
  const to = new URL(response.headers.get('location') ?? '')
  t.equal(to.searchParams.get('redirect_uri'), 'https://access.example.com/callback/oidc')
  t.equal(to.searchParams.get('code_challenge_method'), 'S256')
  t.ok(to.searchParams.get('nonce'))
})

t.test('nobody is sent elsewhere after a sign-in', async (t) => {
  const provider = await startProvider(t)
  const { url } = await startLoginServer(t, provider)
  const elsewhere = [
    'https://evil.example',
    '//evil.example',
    '/\\evil.example',
    '/.//evil.example',
    '\\/evil.example',
    '/\t/evil.example',
    'javascript:alert(1)',
    'evil',
  ]
  for (const to of elsewhere) {
    const response = await fetch(`${url}/login?return_to=${encodeURIComponent(to)}`, { redirect: 'manual' })
    t.equal(response.status, 400, JSON.stringify(to))
    t.match(await response.text(), /return_to must be a path of this server/)
  }
})

t.test('an address too long to be kept is forgotten, and the sign-in goes on', async (t) => {
  const provider = await startProvider(t)
  const { url } = await startLoginServer(t, provider)
  const page = await createPerson('alice').signIn(
    `${url}/login?return_to=${encodeURIComponent(`/?${'a'.repeat(999)}`)}`,
  )
  t.match(page, { status: 200, url: `${url}/` })
})

t.test('a callback works in the browser that began it, once', async (t) => {
  const provider = await startProvider(t)
  const { url, logins } = await startLoginServer(t, provider)
  const alice = createPerson('alice')
  const callback = await callbackOf(alice, url)
  const other = await createPerson('bob').open(callback)
  t.equal(other.status, 401)
  t.match(other.body, /it was started in another browser or has timed out/)
  const bob = createPerson('bob')
  await bob.fetch(`${url}/login`)
  const crossed = await bob.open(callback)
  t.equal(crossed.status, 401, 'another sign-in of another browser has another state')
  t.match(crossed.body, /it was started in another browser/)
  t.equal(logins.begun.length, 0)
  t.equal((await alice.open(callback)).status, 200)
  t.equal(logins.begun.length, 1)
  const again = await alice.open(callback)
  t.equal(again.status, 401)
  t.match(again.body, /it was started in another browser or has timed out/)
  t.equal(logins.begun.length, 1)
  t.same(logins.failures, ['LOGIN_FAILED', 'LOGIN_FAILED', 'LOGIN_FAILED'])
})

t.test('a stolen cookie does not make a code good twice', async (t) => {
  const provider = await startProvider(t)
  const { url, logins } = await startLoginServer(t, provider)
  const alice = createPerson('alice')
  const first = await alice.fetch(`${url}/login`)
  const cookie = first.headers.getSetCookie()[0]?.split(';')[0] ?? ''
  const callback = await callbackOf(alice, url, first.headers.get('location') ?? '')
  t.equal((await fetch(callback, { headers: { cookie }, redirect: 'manual' })).status, 303)
  const replayed = await fetch(callback, { headers: { cookie }, redirect: 'manual' })
  t.equal(replayed.status, 401)
  t.match(await replayed.text(), /refused it \(invalid_grant\)/)
  t.equal(logins.begun.length, 1)
})

t.test('a wrong state is refused before the provider is asked', async (t) => {
  const provider = await startProvider(t)
  const { url, logins } = await startLoginServer(t, provider)
  const alice = createPerson('alice')
  const callback = new URL(await callbackOf(alice, url))
  callback.searchParams.set('state', 'x'.repeat(43))
  const page = await alice.open(callback.href)
  t.equal(page.status, 401)
  t.match(page.body, /started in another browser/)
  t.equal(logins.begun.length, 0)
})

t.test('a sign-in that took too long is over', async (t) => {
  const provider = await startProvider(t)
  const { url, clock } = await startLoginServer(t, provider)
  const alice = createPerson('alice')
  const callback = await callbackOf(alice, url)
  clock.advance(10 * 60_000 + 1)
  const page = await alice.open(callback)
  t.equal(page.status, 401)
  t.match(page.body, /has timed out/)
})

t.test('a refusal of the provider is shown by its name, and never as markup', async (t) => {
  const provider = await startProvider(t)
  const { url } = await startLoginServer(t, provider)
  const alice = createPerson('alice')
  const response = await alice.fetch(`${url}/login`)
  const state = new URL(response.headers.get('location') ?? '').searchParams.get('state') ?? ''
  const answer = new URLSearchParams({ error: '<script>', error_description: '<b>x</b>', state, iss: provider.issuer })
  const page = await alice.open(`${url}/callback/oidc?${answer}`)
  t.equal(page.status, 401)
  t.match(page.body, /the identity provider refused it \(unknown error\)/)
  t.notMatch(page.body, /<script>|<b>/)
  t.match(page.headers.get('content-security-policy'), /default-src 'none'/)
})

t.test('a locked person is told so and gets no cookie', async (t) => {
  const provider = await startProvider(t)
  const { url, logins } = await startLoginServer(t, provider)
  logins.lock('alice')
  const alice = createPerson('alice')
  const page = await alice.signIn(`${url}/login`)
  t.equal(page.status, 403)
  t.match(page.body, /this identity is locked/)
  t.equal((await alice.fetch(`${url}/`)).status, 303)
})

t.test('while the provider is down a sign-in says so, and works when it is back', async (t) => {
  const provider = await startProvider(t)
  const { url } = await startLoginServer(t, provider)
  provider.knobs.down(true)
  const alice = createPerson('alice')
  const page = await alice.open(`${url}/login`)
  t.equal(page.status, 503)
  t.match(page.body, /the identity provider did not answer: try again in a moment/)
  provider.knobs.down(false)
  t.equal((await alice.signIn(`${url}/login`)).status, 200)
})

t.test('step-up asks again although the provider knows the person', async (t) => {
  const provider = await startProvider(t)
  const scopes = ['openid', 'profile', 'email'] // `offline_access` would make the sandbox's provider ask each time
  const { url, logins } = await startLoginServer(t, provider, { oidc: { scopes } })
  const alice = createPerson('alice')
  await alice.signIn(`${url}/login`)
  const silent = await alice.open(`${url}/login`)
  t.equal(silent.url, `${url}/`, 'single sign-on asks for nothing')
  const page = await alice.open(`${url}/login?max_age=0`)
  t.equal(new URL(page.url).origin, provider.issuer, 'the provider asks for the password')
  await alice.submit(page, { username: 'alice', password: 'sandbox' })
  const [first, second, third] = logins.begun.map(({ vouched }) => vouched.authenticatedAt)
  t.equal(second, first, 'the proof is as old as it is')
  t.ok((third ?? 0) >= (first ?? 0))
  t.equal(logins.begun.length, 3)
})

t.test('signing out needs a form of our own page and ends the login', async (t) => {
  const provider = await startProvider(t)
  const { url, logins } = await startLoginServer(t, provider)
  const alice = createPerson('alice')
  await alice.signIn(`${url}/login`)
  const forged = await alice.fetch(`${url}/logout`, { method: 'POST', headers: { origin: 'https://evil.example' } })
  t.equal(forged.status, 403)
  t.same(logins.finished, [])
  const page = await alice.submit(await alice.open(`${url}/logout`))
  t.match(page.body, /signed out/)
  t.same(logins.finished, ['lgn_0'])
  t.equal((await alice.fetch(`${url}/`)).status, 303)
})

t.test('when somebody else signs in with the same browser, the login before ends', async (t) => {
  const provider = await startProvider(t)
  const { url, logins } = await startLoginServer(t, provider)
  await createPerson('alice').signIn(`${url}/login`)
  const bob = createPerson('bob')
  const start = await bob.fetch(`${url}/login`)
  const signIn = start.headers.getSetCookie()[0]?.split(';')[0]
  const callback = await callbackOf(bob, url, start.headers.get('location') ?? '', 'bob')
  const cookie = `${signIn}; sallyport=${logins.begun[0]?.secret}`
  t.equal((await fetch(callback, { headers: { cookie }, redirect: 'manual' })).status, 303)
  t.same(
    logins.begun.map(({ vouched }) => vouched.subject),
    ['alice', 'bob'],
  )
  t.same(logins.finished, ['lgn_0'])
})

t.test('the probe says who is still there, who is gone, and when nobody answers', async (t) => {
  const provider = await startProvider(t)
  const { url, logins, oidc } = await startLoginServer(t, provider)
  await createPerson('alice').signIn(`${url}/login`)
  const first = logins.begun[0]?.vouched.refreshToken ?? ''
  provider.knobs.setGroups('alice', ['sales'])
  const still = await oidc.prober(first, async () => {})
  t.match(still, { subject: 'alice', issuer: provider.issuer, claims: { groups: ['sales'] } })
  const next = typeof still === 'object' ? (still.refreshToken ?? '') : ''
  t.ok(next)
  provider.knobs.down(true)
  t.equal(await oidc.prober(next, async () => {}), 'lost')
  provider.knobs.down(false)
  provider.knobs.disable('alice')
  t.equal(await oidc.prober(next, async () => {}), 'gone')
})

t.test('a logout at the provider reaches us, signed', async (t) => {
  const provider = await startProvider(t)
  const { url, logins } = await startLoginServer(t, provider)
  await createPerson('alice').signIn(`${url}/login`)
  t.equal(await provider.knobs.logout('alice'), 1)
  t.match(logins.endedAtProvider, [
    { issuer: provider.issuer, subject: 'alice', sid: logins.begun[0]?.vouched.sid ?? 'none' },
  ])
  const forged = await fetch(`${url}/callback/oidc/logout`, {
    method: 'POST',
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    body: 'logout_token=eyJhbGciOiJub25lIn0.e30.',
  })
  t.equal(forged.status, 401)
  t.equal(logins.endedAtProvider.length, 1)
})

/** Signs in at the provider and stops before the callback. */
async function callbackOf(
  person: ReturnType<typeof createPerson>,
  url: string,
  from?: string,
  account = 'alice',
): Promise<string> {
  const start = from ?? (await person.fetch(`${url}/login`)).headers.get('location') ?? ''
  const page = await person.open(start)
  const body = `username=${account}&password=sandbox`
  const headers = { 'content-type': 'application/x-www-form-urlencoded' }
  let response = await person.fetch(new URL(page.forms[0]?.action ?? '', page.url).href, {
    method: 'POST',
    headers,
    body,
  })
  for (;;) {
    const to = new URL(response.headers.get('location') ?? '', page.url).href
    if (to.startsWith(`${url}/`)) return to
    response = await person.fetch(to)
  }
}
