import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { exportJWK, generateKeyPair, SignJWT, UnsecuredJWT } from 'jose'
import type { Test } from 'tap'

/** A provider that can lie, which the sandbox's can't. It sends every browser straight back with a code. */
export interface FakeProvider {
  readonly issuer: string
  readonly clientId: string
  readonly clientSecret: string
  /** Changes what the next ID token says, or how it is signed. */
  lies: Lies
  /** Requests with a body, by path. */
  readonly posts: { path: string; body: URLSearchParams; authorization: string | undefined }[]
  /** A logout token with these claims instead of, or besides, the right ones. */
  logoutToken(claims?: Claims): Promise<string>
}

/** Undefined takes a claim away. */
export type Claims = Readonly<Record<string, unknown>>

export interface Lies {
  readonly claims?: Claims
  readonly unsigned?: boolean
  readonly strangersKey?: boolean
  readonly noIdToken?: boolean
  readonly userinfo?: Readonly<Record<string, unknown>> | 500 | 503
  readonly token?: { readonly status: number; readonly body?: object; readonly location?: string }
  readonly discovery?: Readonly<Record<string, unknown>>
  readonly noUserinfo?: boolean
  /** Each refresh replaces the refresh token, and the one before is refused. */
  readonly rotate?: boolean
  /** Refresh answers are sent in this way instead: the connection breaks, or the body does, after the token was replaced. */
  readonly breaksOff?: 'connection' | 'body' | 502
  readonly noKeys?: boolean
  readonly noRefreshToken?: boolean
  /** The token endpoint answers once this resolves. */
  readonly slow?: Promise<void>
}

export async function startFakeProvider(t: Test): Promise<FakeProvider> {
  const [keys, stranger] = [await generateKeyPair('RS256'), await generateKeyPair('RS256')]
  const jwk = { ...(await exportJWK(keys.publicKey)), alg: 'RS256', kid: 'k1', use: 'sig' }
  let nonce = ''
  let rotations = 0
  const server = createServer((request, response) => void answer(request, response))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => {
    server.close()
    server.closeAllConnections()
  })
  const issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const now = () => Math.floor(Date.now() / 1000)
  const sign = (claims: Claims, key: Parameters<SignJWT['sign']>[0]) =>
    new SignJWT(claims).setProtectedHeader({ alg: 'RS256', kid: 'k1' }).sign(key)
  const provider: FakeProvider = {
    issuer,
    clientId: 'sallyport',
    clientSecret: 'very secret/+',
    lies: {},
    posts: [],
    logoutToken: (claims = {}) => {
      const events = { 'http://schemas.openid.net/event/backchannel-logout': {} }
      const right = { iss: issuer, aud: 'sallyport', iat: now(), exp: now() + 60, jti: 'j1', events, sub: 'eve' }
      return sign({ ...right, ...claims }, keys.privateKey)
    },
  }
  const idToken = async (): Promise<string> => {
    const { claims, unsigned, strangersKey } = provider.lies
    const all = {
      iss: issuer,
      aud: 'sallyport',
      sub: 'eve',
      iat: now(),
      exp: now() + 60,
      nonce,
      auth_time: now(),
      email: 'eve@example.com',
      email_verified: true,
      groups: ['engineering'],
      ...claims,
    }
    if (unsigned) return new UnsecuredJWT(all).encode()
    return sign(all, strangersKey ? stranger.privateKey : keys.privateKey)
  }
  const current = () => (rotations === 0 ? 'rt' : `rt${rotations}`)
  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const url = new URL(request.url ?? '', issuer)
    const { lies } = provider
    const json = (status: number, body: unknown, headers = {}) =>
      response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(body))
    if (request.method === 'POST') {
      const { authorization } = request.headers
      provider.posts.push({ path: url.pathname, body: new URLSearchParams(await read(request)), authorization })
    }
    if (url.pathname === '/.well-known/openid-configuration') {
      const endpoints = {
        issuer,
        authorization_endpoint: `${issuer}/auth`,
        token_endpoint: `${issuer}/token`,
        jwks_uri: `${issuer}/jwks`,
        ...(lies.noUserinfo ? {} : { userinfo_endpoint: `${issuer}/me` }),
        token_endpoint_auth_methods_supported: ['client_secret_post'],
        ...lies.discovery,
      }
      return void json(200, endpoints)
    }
    if (url.pathname === '/jwks') return void (lies.noKeys ? json(503, {}) : json(200, { keys: [jwk] }))
    if (url.pathname === '/me') {
      const { userinfo = { sub: 'eve' } } = lies
      return void (typeof userinfo === 'number' ? json(userinfo, {}) : json(200, userinfo))
    }
    if (url.pathname === '/auth') {
      nonce = url.searchParams.get('nonce') ?? ''
      const back = new URL(url.searchParams.get('redirect_uri') ?? '')
      back.search = new URLSearchParams({ code: 'c0de', state: url.searchParams.get('state') ?? '' }).toString()
      return void response.writeHead(303, { location: back.href }).end()
    }
    if (url.pathname === '/token') {
      await lies.slow
      const { status, body, location } = lies.token ?? {}
      if (status) return void json(status, body ?? {}, location ? { location } : {})
      const shown = provider.posts.at(-1)?.body.get('refresh_token')
      if (shown && lies.rotate && shown !== current()) return void json(400, { error: 'invalid_grant' })
      if (shown && lies.rotate) rotations++
      if (shown && lies.breaksOff === 'connection') return void request.socket.destroy()
      if (shown && lies.breaksOff === 502) return void json(502, {})
      if (shown && lies.breaksOff === 'body')
        return void response.writeHead(200, { 'content-type': 'application/json' }).end('{"access_token":"a')
      const refreshToken = lies.noRefreshToken ? {} : { refresh_token: current() }
      const tokens = { access_token: 'at', token_type: 'bearer', expires_in: 60, ...refreshToken }
      return void json(200, lies.noIdToken ? tokens : { ...tokens, id_token: await idToken() })
    }
    json(404, {})
  }
  return provider
}

async function read(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks).toString()
}
