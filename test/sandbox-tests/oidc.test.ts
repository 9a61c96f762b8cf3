import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { decodeJwt } from 'jose'
import * as client from 'openid-client'
import t, { type Test } from 'tap'
import { startOidc } from '../sandbox/oidc.ts'
import { createPerson } from '../sandbox/person.ts'

const execute = promisify(execFile)

/** A relying party, with the library that the broker uses, on a loopback callback. */
async function start(t: Test) {
  const oidc = await startOidc()
  t.teardown(() => oidc.close())
  const posts: string[] = []
  const server = createServer((request, response) => {
    request.on('data', (chunk: Buffer) => posts.push(chunk.toString())).on('end', () => response.end('signed in'))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => server.close())
  const own = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const redirectUri = `${own}/callback/oidc`
  oidc.allow({ redirectUri, backchannelLogoutUri: `${own}/logout` })
  const config = await client.discovery(new URL(oidc.issuer), oidc.clientId, oidc.clientSecret, undefined, {
    execute: [client.allowInsecureRequests],
  })
  return { oidc, config, redirectUri, posts }
}

async function ask(config: client.Configuration, redirectUri: string, scope = 'openid profile email offline_access') {
  const verifier = client.randomPKCECodeVerifier()
  const [state, nonce] = [client.randomState(), client.randomNonce()]
  const url = client.buildAuthorizationUrl(config, {
    redirect_uri: redirectUri,
    scope,
    state,
    nonce,
    code_challenge: await client.calculatePKCECodeChallenge(verifier),
    code_challenge_method: 'S256',
  })
  const redeem = (end: string) =>
    client.authorizationCodeGrant(config, new URL(end), {
      pkceCodeVerifier: verifier,
      expectedState: state,
      expectedNonce: nonce,
      idTokenExpected: true,
    })
  return { url: url.href, redeem }
}

async function signIn({ config, redirectUri }: { config: client.Configuration; redirectUri: string }, name: string) {
  const { url, redeem } = await ask(config, redirectUri)
  const page = await createPerson(name).signIn(url)
  return redeem(page.url)
}

t.test('each account signs in by form, and the ID token carries who they are', async (t) => {
  const party = await start(t)
  const people = {
    alice: { groups: ['engineering'], manager: 'bob@example.com' },
    bob: { groups: ['engineering', 'database-owners'], manager: 'dave@example.com' },
    carol: { groups: ['security'], manager: 'dave@example.com' },
    dave: { groups: ['platform'], manager: 'carol@example.com' },
  }
  for (const [name, { groups, manager }] of Object.entries(people)) {
    const tokens = await signIn(party, name)
    t.match(tokens.claims(), {
      iss: party.oidc.issuer,
      aud: 'sallyport',
      sub: name,
      email: `${name}@example.com`,
      email_verified: true,
      groups,
      manager,
    })
    t.ok(tokens.claims()?.auth_time ?? tokens.claims()?.iat)
    t.ok(tokens.refresh_token, 'offline_access gives a refresh token')
  }
})

t.test('a wrong password, a stranger, and a disabled account are told so on the page', async (t) => {
  const { oidc, config, redirectUri } = await start(t)
  const { url } = await ask(config, redirectUri)
  const person = createPerson('alice', 'wrong')
  const asked = await person.open(url)
  t.match(asked.body, /Sandbox sign-in/)
  const again = await person.submit(asked, { username: 'alice', password: 'wrong' })
  t.match([again.status, again.body], [401, /Wrong user name or password/])
  t.match((await person.submit(again, { username: 'mallory', password: 'sandbox' })).status, 401)
  oidc.knobs.disable('alice')
  t.match((await person.submit(again, { username: 'alice', password: 'sandbox' })).body, /disabled/)
})

t.test('groups change with the next refresh; a disabled account is invalid_grant; back again works', async (t) => {
  const party = await start(t)
  const { oidc, config } = party
  const first = await signIn(party, 'alice')
  const refresh = () => client.refreshTokenGrant(config, first.refresh_token ?? '')
  oidc.knobs.setGroups('alice', ['sales'])
  t.strictSame((await refresh()).claims()?.groups, ['sales'])
  oidc.knobs.disable('alice')
  t.match(await refresh().catch((error: unknown) => error), { error: 'invalid_grant' })
  oidc.knobs.enable('alice')
  t.ok((await signIn(party, 'alice')).refresh_token)
})

t.test('PKCE, the registered address and the secret are demanded', async (t) => {
  const { oidc, config, redirectUri } = await start(t)
  const person = createPerson('alice')
  const bare = client.buildAuthorizationUrl(config, { redirect_uri: redirectUri, scope: 'openid', state: 's' })
  t.match((await person.signIn(bare.href)).url, /error=invalid_request/)
  const elsewhere = await ask(config, 'http://127.0.0.1:9/elsewhere')
  t.match(await person.open(elsewhere.url), { status: 400, body: /redirect_uri/ })
  const wrong = await client.discovery(new URL(oidc.issuer), oidc.clientId, 'wrong', undefined, {
    execute: [client.allowInsecureRequests],
  })
  const { url, redeem } = await ask(wrong, redirectUri)
  const { url: end } = await person.signIn(url)
  t.match(await redeem(end).catch((error: unknown) => error), { error: 'invalid_client' })
})

t.test('somebody signed in already is asked again, and may be another', async (t) => {
  const { config, redirectUri } = await start(t)
  const person = createPerson('alice')
  const first = await ask(config, redirectUri)
  t.equal((await first.redeem((await person.signIn(first.url)).url)).claims()?.sub, 'alice')
  const second = await ask(config, redirectUri)
  t.equal((await second.redeem((await person.signIn(second.url)).url)).claims()?.sub, 'alice')
})

t.test('back-channel logout posts a logout token for each sign-in', async (t) => {
  const party = await start(t)
  await signIn(party, 'alice')
  t.equal(await party.oidc.knobs.logout('bob'), 0)
  t.equal(await party.oidc.knobs.logout('alice'), 1)
  t.equal(await party.oidc.knobs.logout('alice'), 0)
  const token = decodeJwt(new URLSearchParams(party.posts[0]).get('logout_token') ?? '')
  t.match(token, {
    sub: 'alice',
    aud: 'sallyport',
    sid: String,
    events: { 'http://schemas.openid.net/event/backchannel-logout': {} },
  })
})

t.test('down: nobody answers; up again: it does', async (t) => {
  const { oidc } = await start(t)
  const discover = () => fetch(`${oidc.issuer}/.well-known/openid-configuration`)
  oidc.knobs.down(true)
  await t.rejects(discover())
  oidc.knobs.down(false)
  t.equal((await discover()).status, 200)
})

t.test('browser.ts plays the whole browser, and shows no code', async (t) => {
  const { config, redirectUri } = await start(t)
  const { url } = await ask(config, redirectUri)
  const program = fileURLToPath(new URL('../sandbox/browser.ts', import.meta.url))
  const { stdout } = await execute(process.execPath, [program, 'alice', url])
  t.equal(stdout, `alice ended at ${redirectUri} with status 200\n`)
  await t.rejects(execute(process.execPath, [program, 'mallory', url]), { code: 1 })
  await t.rejects(execute(process.execPath, [program]), { code: 2 })
})
