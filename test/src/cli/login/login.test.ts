import { createHash, randomBytes } from 'node:crypto'
import { chmodSync, existsSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { getCACertificates, setDefaultCACertificates } from 'node:tls'
import t from 'tap'
import { createAuthority } from '../../../sandbox/certificates.ts'
import { createPerson, type Page, type Person } from '../../../sandbox/person.ts'
import { startLoginServer, startProvider } from '../../http/login-setup.ts'
import { openTerminal } from '../run-cli.ts'

// Commands run as processes of their own, which takes long on a busy machine.
t.setTimeout(480_000)

const deviceCode = /([B-DF-HJ-NP-TV-Z]{4}-[B-DF-HJ-NP-TV-Z]{4})\n/

t.test('login by browser, whoami, logout', async (t) => {
  const provider = await startProvider(t)
  const { url, logins } = await startLoginServer(t, provider)
  const terminal = openTerminal(t, 'alice')
  const login = await terminal.run('login', '--server', url)
  t.equal(login.code, 0, login.stderr)
  t.match(login.stdout, `signed in to ${url} as alice@example.com (user), until `)
  t.match(login.stderr, `${url}/api/v1/cli/authorize?port=`, 'the address is printed too')
  t.match(logins.begun, [{ via: 'cli', vouched: { subject: 'alice' } }])
  t.notMatch(login.stdout + login.stderr, logins.begun[0]?.secret ?? 'none', 'the secret is not')
  const me = await terminal.run('whoami')
  t.match(me.stdout, /alice@example\.com\ngroups {5}engineering/)
  t.match(JSON.parse((await terminal.run('whoami', '--json')).stdout), {
    principal: { name: 'alice@example.com', groups: ['engineering'] },
    via: 'cli',
  })
  const logout = await terminal.run('logout')
  t.match(logout, { code: 0, stdout: `signed out of ${url}\n` })
  t.same(logins.finished, ['lgn_0'])
  const after = await terminal.run('whoami')
  t.match(after, { code: 3, stderr: `sallyport: sign in first\n  run: sallyport login --server ${url}\n` })
})

t.test('the login is kept where nobody else reads it', async (t) => {
  const provider = await startProvider(t)
  const { url } = await startLoginServer(t, provider)
  const terminal = openTerminal(t, 'alice', {})
  const home = join(terminal.home, 'new', 'folder')
  const inside = openTerminal(t, 'alice', { SALLYPORT_HOME: home })
  t.equal((await inside.run('login', '--server', url)).code, 0)
  const file = join(home, 'login.json')
  t.equal(statSync(home).mode & 0o777, 0o700)
  t.equal(statSync(file).mode & 0o777, 0o600)
  chmodSync(file, 0o644)
  const refused = await inside.run('whoami')
  t.equal(refused.code, 1)
  t.match(refused.stderr, `${file} is readable by other users`)
  chmodSync(file, 0o600)
  writeFileSync(file, '{"version":1')
  t.match((await inside.run('whoami')).stderr, /is damaged\n {2}delete it and run: sallyport login/)
})

t.test('several servers are kept, and the last one is used', async (t) => {
  const provider = await startProvider(t)
  const [one, two] = [await startLoginServer(t, provider), await startLoginServer(t, provider)]
  const terminal = openTerminal(t, 'alice')
  await terminal.run('login', '--server', one.url)
  await terminal.run('login', '--server', two.url)
  t.match((await terminal.run('whoami')).stdout, two.url)
  t.match((await terminal.run('--server', one.url, 'whoami')).stdout, one.url)
  await terminal.run('--server', two.url, 'logout')
  t.match((await terminal.run('--server', one.url, 'whoami')).code, 0, 'the other login is untouched')
})

t.test('nobody signed in, nobody named a server', async (t) => {
  const terminal = openTerminal(t, null)
  for (const command of ['whoami', 'logout', 'login'])
    t.match(await terminal.run(command), { code: 3, stderr: /run: sallyport login --server https:/ }, command)
  t.match(await terminal.run('login', '--server', 'http://access.example.com'), { code: 1, stderr: /not encrypted/ })
  t.match(await terminal.run('login', '--server', 'https://a.example/path'), {
    code: 1,
    stderr: /the address of a broker/,
  })
  t.match(await terminal.run('login', '--server', 'http://127.0.0.1:9', '--device'), {
    code: 5,
    stderr: /cannot reach/,
  })
  t.notOk(existsSync(join(terminal.home, 'login.json')))
})

t.test('an API token in the environment takes the place of a login', async (t) => {
  const provider = await startProvider(t)
  const { url, logins } = await startLoginServer(t, provider)
  await createPerson('alice').signIn(`${url}/login`)
  const terminal = openTerminal(t, null, { SALLYPORT_SERVER: url, SALLYPORT_TOKEN: logins.begun[0]?.secret })
  t.match(await terminal.run('whoami'), { code: 0, stdout: /alice@example\.com/ })
})

t.test('cancelled in the browser: the command says so and keeps nothing', async (t) => {
  const provider = await startProvider(t)
  const { url, logins } = await startLoginServer(t, provider)
  const terminal = openTerminal(t, null)
  const { found, ended } = await terminal.start(['login', '--server', url, '--no-browser'], /(http:\S+)\n/)
  const alice = createPerson('alice')
  const page = await signInAt(alice, found[1] ?? '')
  t.match(page.body, /Request from<\/dt><dd>127\.0\.0\.1/, 'the page names where it came from')
  t.match(page.headers.get('referrer-policy'), 'same-origin', 'else browsers send no Origin with the form')
  await press(alice, page, 'deny')
  const ran = await ended
  t.equal(ran.code, 3)
  t.match(ran.stderr, /the sign-in did not complete: it was cancelled in the browser/)
  t.same(logins.begun, [])
  t.notOk(existsSync(join(terminal.home, 'login.json')))
})

t.test('a loopback port answers only the redirect that belongs to it', async (t) => {
  const provider = await startProvider(t)
  const { url } = await startLoginServer(t, provider)
  const terminal = openTerminal(t, null)
  const { found, ended } = await terminal.start(['login', '--server', url, '--no-browser'], /(http:\S+)\n/)
  const asked = new URL(found[1] ?? '').searchParams
  const at = `http://127.0.0.1:${asked.get('port')}`
  const code = randomBytes(32).toString('base64url')
  t.equal((await fetch(`${at}/callback?code=${code}&state=${code}`)).status, 404, 'another state')
  t.equal((await fetch(`${at}/callback?code=${code}`)).status, 404, 'no state')
  t.equal((await fetch(`${at}/?code=${code}&state=${asked.get('state')}`)).status, 404, 'another path')
  const posted = await fetch(`${at}/callback?code=${code}&state=${asked.get('state')}`, { method: 'POST' })
  t.equal(posted.status, 404, 'another method')
  const alice = createPerson('alice')
  await press(alice, await signInAt(alice, found[1] ?? ''), 'approve')
  t.match(await ended, { code: 0, stdout: /signed in to/ }, 'none of it disturbed the sign-in')
})

t.test('a person who may not sign in: the command is told', async (t) => {
  const provider = await startProvider(t)
  const { url, logins } = await startLoginServer(t, provider)
  logins.lock('alice')
  t.match(await openTerminal(t, 'alice').run('login', '--server', url), { code: 4, stderr: /this identity is locked/ })
})

t.test('login by device code, in another browser', async (t) => {
  const provider = await startProvider(t)
  const { url, logins } = await startLoginServer(t, provider)
  const terminal = openTerminal(t, null)
  const { found, ended } = await terminal.start(['login', '--server', url, '--device'], deviceCode)
  const page = await createPerson('alice').signIn(`${url}/device`, { user_code: (found[1] ?? '').toLowerCase() })
  t.match(page.body, /The command is signed in/)
  const ran = await ended
  t.match(ran, { code: 0, stdout: `signed in to ${url} as alice@example.com` })
  t.match(logins.begun, [{ via: 'cli', vouched: { subject: 'alice' } }])
})

t.test('--fresh makes the provider ask again, both ways', async (t) => {
  const provider = await startProvider(t)
  const { url } = await startLoginServer(t, provider)
  const asked = async (from: string) => {
    const response = await fetch(from, { redirect: 'manual' })
    return new URL(response.headers.get('location') ?? '').searchParams.get('prompt')
  }
  const terminal = openTerminal(t, null)
  const browser = await terminal.start(['login', '--server', url, '--fresh', '--no-browser'], /(http:\S+)\n/)
  t.equal(await asked(browser.found[1] ?? ''), 'login consent')
  const device = await terminal.start(['login', '--server', url, '--fresh', '--device'], /(http:\S+)\n/)
  t.equal(await asked(device.found[1] ?? ''), 'login consent')
})

t.test('a device code that is denied, and one that expires', async (t) => {
  const provider = await startProvider(t)
  const { url, clock, logins } = await startLoginServer(t, provider)
  const terminal = openTerminal(t, null)
  const denied = await terminal.start(['login', '--server', url, '--device'], deviceCode)
  const alice = createPerson('alice')
  const form = await signInAt(alice, `${url}/device`)
  const page = await alice.submit(form, { user_code: denied.found[1] ?? '' })
  t.match(page.body, /Request from<\/dt><dd>127\.0\.0\.1, \d s ago/)
  t.match((await press(alice, page, 'deny')).body, /The sign-in was denied/)
  t.match(await denied.ended, { code: 3, stderr: /it was denied in the browser/ })
  const expired = await terminal.start(['login', '--server', url, '--device'], deviceCode)
  clock.advance(5 * 60_000)
  t.match(await expired.ended, { code: 3, stderr: /the code is unknown, was already used, or has expired/ })
  const late = await signInAt(createPerson('alice'), `${url}/device`)
  t.equal(late.status, 200)
  t.same(logins.begun, [])
})

t.test('a private CA is trusted when named, and remembered', async (t) => {
  const authority = createAuthority()
  setDefaultCACertificates([...getCACertificates('default'), authority.cert]) // for the browser, which runs in this process
  const provider = await startProvider(t)
  const { url } = await startLoginServer(t, provider, { tls: authority.issue(['127.0.0.1']) })
  const terminal = openTerminal(t, null)
  const ca = join(terminal.home, 'ca.pem')
  writeFileSync(ca, authority.cert)
  const stranger = await terminal.run('login', '--server', url, '--device')
  t.match(stranger, { code: 5, stderr: /UNABLE_TO_VERIFY_LEAF_SIGNATURE|SELF_SIGNED/ })
  const login = await terminal.start(['login', '--server', url, '--device', '--ca', ca], deviceCode)
  await createPerson('alice').signIn(`${url}/device`, { user_code: login.found[1] ?? '' })
  t.match(await login.ended, { code: 0 })
  t.match(await terminal.run('whoami'), { code: 0, stdout: url })
  t.equal(JSON.parse(readFileSync(join(terminal.home, 'login.json'), 'utf8')).servers[url].ca, ca)
  writeFileSync(ca, 'nothing')
  t.match(await terminal.run('whoami'), { code: 1, stderr: /holds no certificate/ })
})

t.test('the one-time code is good once, for whoever began, for a minute', async (t) => {
  const provider = await startProvider(t)
  const { url, clock, logins } = await startLoginServer(t, provider)
  const begin = async () => {
    const verifier = randomBytes(32).toString('base64url')
    const challenge = createHash('sha256').update(verifier).digest('base64url')
    const state = randomBytes(32).toString('base64url')
    const alice = createPerson('alice')
    const page = await signInAt(alice, `${url}/api/v1/cli/authorize?port=1024&state=${state}&challenge=${challenge}`)
    const headers = { origin: url, 'content-type': 'application/x-www-form-urlencoded' }
    const form = page.forms[0]?.fields[0]?.value ?? ''
    const post = (body: string, origin = url) =>
      alice.fetch(`${url}/cli/confirm`, { method: 'POST', headers: { ...headers, origin }, body })
    t.equal((await post(`form=${form}&decision=approve`, 'https://evil.example')).status, 403, 'a forged form')
    t.equal((await post('form=other&decision=approve')).status, 401, 'the form of another tab')
    const response = await post(`form=${form}&decision=approve`)
    const to = new URL(response.headers.get('location') ?? '')
    t.equal(to.origin, 'http://127.0.0.1:1024')
    t.equal(to.searchParams.get('state'), state)
    t.equal((await post(`form=${form}&decision=approve`)).status, 401, 'confirmed already')
    return { verifier, code: to.searchParams.get('code') ?? '' }
  }
  const redeem = async (body: { code: string; verifier: string }) => {
    const response = await fetch(`${url}/api/v1/cli/token`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    })
    return { status: response.status, answer: (await response.json()) as Record<string, unknown> }
  }
  const good = await begin()
  t.match(await redeem(good), { status: 200, answer: { token: logins.begun[0]?.secret ?? '', roles: ['user'] } })
  t.match(await redeem(good), { status: 401, answer: { code: 'LOGIN_FAILED', detail: /unknown, was already used/ } })
  const stolen = await begin()
  const guess = { code: stolen.code, verifier: 'x'.repeat(43) }
  t.match(await redeem(guess), { status: 401, answer: { detail: /verifier does not match/ } })
  t.match(await redeem(stolen), { status: 401 }, 'the first try spends it')
  const late = await begin()
  clock.advance(60_000)
  t.match(await redeem(late), { status: 401, answer: { detail: /has expired/ } })
  t.equal(logins.begun.length, 1)
  t.same(logins.failures, ['bad-code', 'bad-code', 'bad-code', 'bad-code'])
})

t.test('a sign-in that the provider refused is told to the command', async (t) => {
  const provider = await startProvider(t)
  const { url } = await startLoginServer(t, provider)
  const state = 's'.repeat(43)
  const alice = createPerson('alice')
  const start = await alice.fetch(`${url}/api/v1/cli/authorize?port=1024&state=${state}&challenge=${'c'.repeat(43)}`)
  const ours = new URL(start.headers.get('location') ?? '').searchParams.get('state') ?? ''
  const answer = new URLSearchParams({ error: 'access_denied', state: ours, iss: provider.issuer })
  const back = await alice.fetch(`${url}/callback/oidc?${answer}`)
  t.equal(back.headers.get('location'), `http://127.0.0.1:1024/callback?error=LOGIN_FAILED&state=${state}`)
})

t.test('device codes cannot be searched, nor asked for without end', async (t) => {
  const provider = await startProvider(t)
  const { url, logins } = await startLoginServer(t, provider)
  const alice = createPerson('alice')
  let page = await signInAt(alice, `${url}/device`)
  for (let i = 0; i < 4; i++) {
    page = await alice.submit(page, { user_code: 'BBBB-BBBB' })
    t.equal(page.status, 400)
    t.match(page.body, /No command is waiting with this code/)
  }
  t.equal((await alice.submit(page, { user_code: 'BBBB-BBBB' })).status, 429)
  t.equal((await alice.submit(page, { user_code: 'BBBB-BBBB' })).status, 401, 'the sign-in is spent')
  t.equal(logins.failures.length, 5)
  const statuses = []
  for (let i = 0; i < 31; i++) statuses.push((await fetch(`${url}/api/v1/device`, { method: 'POST' })).status)
  t.equal(statuses.at(-1), 429)
})

t.test('a poll too early is told to slow down', async (t) => {
  const provider = await startProvider(t)
  const { url } = await startLoginServer(t, provider)
  const post = async (path: string, body: object) => {
    const headers = { 'content-type': 'application/json' }
    const response = await fetch(url + path, { method: 'POST', headers, body: JSON.stringify(body) })
    return { status: response.status, answer: (await response.json()) as Record<string, unknown> }
  }
  const { answer } = await post('/api/v1/device', {})
  t.match(answer, { verification_uri: `${url}/device`, expires_in: 300, interval: 0.1 })
  const { device_code } = answer
  t.match(await post('/api/v1/device/token', { device_code }), { status: 202, answer: { status: 'pending' } })
  t.match(await post('/api/v1/device/token', { device_code }), { status: 202, answer: { status: 'slow-down' } })
  const unknown = await post('/api/v1/device/token', { device_code: 'x'.repeat(43) })
  t.match(unknown, { status: 401, answer: { code: 'LOGIN_FAILED' } })
})

/** Signs in at the provider; what the broker shows then. */
async function signInAt(person: Person, url: string): Promise<Page> {
  return person.submit(await person.open(url), { username: 'alice', password: 'sandbox' })
}

/** Presses the button with this value, whatever it says. */
async function press(person: Person, page: Page, decision: 'approve' | 'deny'): Promise<Page> {
  const [form] = page.forms
  if (!form) throw new Error(`no form: ${page.body}`)
  return person.submit(page, {}, { ...form, buttons: [{ name: 'decision', value: decision, label: 'go' }] })
}
