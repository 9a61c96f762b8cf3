import { generateKeyPair, type KeyObject, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { createServer as createSecureServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { promisify } from 'node:util'
import Provider, { type ProviderContext } from 'oidc-provider'
import { type Account, type AccountName, claimsOf, createAccounts, password } from './oidc/accounts.ts'
import { createAdapter } from './oidc/adapter.ts'
import { loginPage } from './oidc/login-page.ts'
import { oddClaims, type Switches, switched } from './oidc/switches.ts'

/**
 * The company's OpenID provider: `oidc-provider` on loopback with four accounts, one confidential client, code flow with
 * PKCE demanded, refresh tokens for `offline_access`, and back-channel logout.
 */
export interface Oidc {
  readonly issuer: string
  readonly clientId: string
  readonly clientSecret: string
  readonly accounts: ReadonlyMap<string, Account>
  /** Lets the client come back to these addresses too. */
  allow(addresses: { redirectUri?: string; backchannelLogoutUri?: string }): void
  readonly knobs: OidcKnobs
  /** May be changed while it runs. */
  readonly switches: Switches
  /** Every ID, access and refresh token that left the token endpoint. */
  readonly issued: readonly string[]
  close(): Promise<void>
}

export interface OidcKnobs {
  /** Shows in tokens from the next sign-in or refresh on. */
  setGroups(account: AccountName, groups: readonly string[]): void
  /** Further claims of this person's tokens, e.g. those that AWS reads tags from; from the next token on. */
  setClaims(account: AccountName, claims: Readonly<Record<string, unknown>>): void
  /** Nobody signs in as them any more, and their refresh tokens answer `invalid_grant`. */
  disable(account: AccountName): void
  enable(account: AccountName): void
  /** Every connection is dropped. */
  down(on: boolean): void
  /** Tells the client, through its back channel, that this person's sign-ins ended; says how many. */
  logout(account: AccountName): Promise<number>
}

export interface OidcOptions {
  /** Where it listens: any free port unless told. */
  readonly port?: number
  readonly clientSecret?: string
  readonly switches?: Switches
  /** Serves HTTPS with this certificate, which only its own authority has signed. */
  readonly tls?: { readonly cert: string; readonly key: string }
  /** How the client shows its secret. `client_secret_post` unless told, which is what openid-client does. */
  readonly authMethod?: 'client_secret_post' | 'client_secret_basic'
}

const clientId = 'sallyport'
const hourS = 3600

interface House {
  readonly provider: Provider
  readonly accounts: Map<string, Account>
}

export async function startOidc(options: OidcOptions = {}): Promise<Oidc> {
  const clientSecret = options.clientSecret ?? randomBytes(24).toString('base64url')
  const accounts = createAccounts()
  const redirectUris = new Set<string>(['http://127.0.0.1:1/callback/oidc']) // the provider demands one; `allow` adds the real ones
  const state = { down: false, backchannelLogoutUri: undefined as string | undefined }
  let house: House | undefined
  const serveOne = (request: IncomingMessage, response: ServerResponse) => {
    if (state.down || !house) return void request.socket.destroy()
    serve(house, request, response).catch((error: unknown) => fail(response, error))
  }
  const server = options.tls ? createSecureServer(options.tls, serveOne) : createServer(serveOne)
  await once(server.listen(options.port ?? 0, '127.0.0.1'), 'listening')
  const issuer = `${options.tls ? 'https' : 'http'}://127.0.0.1:${(server.address() as AddressInfo).port}`
  const metadata = () => ({
    client_id: clientId,
    client_secret: clientSecret,
    client_name: 'Sallyport',
    redirect_uris: [...redirectUris],
    grant_types: ['authorization_code', 'refresh_token'],
    response_types: ['code'],
    token_endpoint_auth_method: options.authMethod ?? 'client_secret_post',
    ...(state.backchannelLogoutUri
      ? { backchannel_logout_uri: state.backchannelLogoutUri, backchannel_logout_session_required: true }
      : {}),
  })
  const { privateKey: key } = await makeKeys('rsa', { modulusLength: 2048 })
  const switches: Switches = { ...options.switches }
  const client = (id: string) => (id === clientId ? metadata() : undefined)
  const provider = new Provider(issuer, configure({ accounts, client, key, switches }))
  provider.use(consentForOfflineAccess(switches))
  provider.use(switched(switches, key))
  const signIns = rememberSignIns(provider)
  const issued = rememberTokens(provider)
  house = { provider, accounts }
  const account = (name: AccountName) => {
    const found = accounts.get(name)
    if (!found) throw new Error(`no account ${name}`)
    return found
  }
  return {
    issuer,
    clientId,
    clientSecret,
    accounts,
    issued,
    switches,
    allow: ({ redirectUri, backchannelLogoutUri }) => {
      if (redirectUri) redirectUris.add(redirectUri)
      if (backchannelLogoutUri) state.backchannelLogoutUri = backchannelLogoutUri
    },
    knobs: {
      setGroups: (name, groups) => {
        account(name).groups = groups
      },
      setClaims: (name, claims) => {
        account(name).claims = claims
      },
      disable: (name) => {
        account(name).disabled = true
      },
      enable: (name) => {
        account(name).disabled = false
      },
      down: (on) => {
        state.down = on
        if (on) server.closeAllConnections()
      },
      logout: async (name) => {
        const client = await provider.Client.find(clientId)
        const ended = [...(signIns.get(name) ?? [])]
        signIns.delete(name)
        for (const sid of ended) await client?.backchannelLogout(name, sid)
        return ended.length
      },
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

/** What AWS reads session tags and SourceIdentity from. */
const awsClaims = ['https://aws.amazon.com/tags', 'https://aws.amazon.com/source_identity']

/** Where Entra ID says that it left groups out. */
const overage = ['_claim_names', '_claim_sources']

const makeKeys = promisify(generateKeyPair)

interface Setting {
  readonly accounts: Map<string, Account>
  readonly client: Parameters<typeof createAdapter>[0]
  readonly key: KeyObject
  readonly switches: Switches
}

function configure({ accounts, client, key, switches }: Setting): Record<string, unknown> {
  return {
    adapter: createAdapter(client),
    jwks: { keys: [{ ...key.export({ format: 'jwk' }), use: 'sig', alg: 'RS256', kid: 'sandbox' }] },
    cookies: { keys: [randomBytes(24).toString('base64url')] },
    scopes: ['openid', 'offline_access', 'profile', 'email', 'groups'],
    claims: {
      openid: [
        'sub',
        'name',
        'preferred_username',
        'team',
        'email',
        'email_verified',
        'groups',
        'manager',
        ...overage,
        ...awsClaims,
      ],
    },
    conformIdTokenClaims: false, // claims are in the ID token, not only at the userinfo endpoint
    pkce: { required: () => true },
    clientBasedCORS: () => false,
    features: {
      devInteractions: { enabled: false },
      backchannelLogout: { enabled: true },
      rpInitiatedLogout: { enabled: true },
    },
    rotateRefreshToken: () => switches.rotate ?? false,
    findAccount: async ({ oidc }: ProviderContext, id: string) => {
      const account = accounts.get(id)
      const isRefresh = oidc?.params?.grant_type === 'refresh_token'
      const claims = async (use: string) => oddClaims(claimsOf(account as Account), switches, { use, isRefresh })
      return account && !account.disabled ? { accountId: id, claims } : undefined
    },
    interactions: { url: (_context: unknown, { uid }: { uid: string }) => `/interaction/${uid}` },
    renderError: async (context: { type: string; body: string }, out: Record<string, string>) => {
      context.type = 'text/plain'
      context.body = `sign-in failed: ${out.error}: ${out.error_description ?? ''}`
    },
    ttl: {
      AccessToken: hourS,
      AuthorizationCode: 60,
      Grant: 14 * 24 * hourS,
      IdToken: hourS,
      Interaction: hourS,
      RefreshToken: 14 * 24 * hourS,
      Session: 14 * 24 * hourS,
    },
    // Its own protection refuses loopback addresses, where the broker's back channel is.
    fetch: (url: string, { dispatcher: _, ...init }: RequestInit & { dispatcher?: unknown }) => fetch(url, init),
  }
}

/** OpenID Connect Core 11 ties `offline_access` to a consent prompt; most companies' providers grant it without one. */
function consentForOfflineAccess(switches: Switches) {
  return async (context: ProviderContext, next: () => Promise<void>): Promise<void> => {
    const { scope, prompt } = context.query
    const isAsked = context.path === '/auth' && typeof scope === 'string' && scope.split(' ').includes('offline_access')
    if (isAsked && !prompt && !switches.strictConsent) context.query = { ...context.query, prompt: 'consent' }
    await next()
  }
}

function rememberTokens(provider: Provider): string[] {
  const issued: string[] = []
  provider.on('grant.success', ({ body }) => {
    for (const kind of ['id_token', 'access_token', 'refresh_token'] as const) if (body[kind]) issued.push(body[kind])
  })
  return issued
}

/** Session ids (`sid`) that the client knows, by account. */
function rememberSignIns(provider: Provider): Map<string, Set<string>> {
  const known = new Map<string, Set<string>>()
  provider.on('grant.success', ({ oidc }) => {
    const { accountId, sid } = oidc.entities.AuthorizationCode ?? {}
    if (accountId && sid) known.set(accountId, (known.get(accountId) ?? new Set()).add(sid))
  })
  return known
}

async function serve(house: House, request: IncomingMessage, response: ServerResponse): Promise<void> {
  if (!request.url?.startsWith('/interaction/')) return house.provider.callback()(request, response)
  const interaction = await house.provider.interactionDetails(request, response)
  if (request.method !== 'POST') return show(house, request, response, 200, '')
  const form = new URLSearchParams(await readText(request))
  const account = house.accounts.get(form.get('username') ?? '')
  if (!account || form.get('password') !== password)
    return show(house, request, response, 401, 'Wrong user name or password.')
  if (account.disabled) return show(house, request, response, 403, 'This account is disabled.')
  const grant = new house.provider.Grant({ accountId: account.sub, clientId: String(interaction.params.client_id) })
  grant.addOIDCScope(String(interaction.params.scope ?? 'openid'))
  const result = { login: { accountId: account.sub, amr: ['pwd'] }, consent: { grantId: await grant.save() } }
  await house.provider.interactionFinished(request, response, result)
}

function show(house: House, request: IncomingMessage, response: ServerResponse, status: number, error: string): void {
  response
    .writeHead(status, { 'content-type': 'text/html; charset=utf-8', 'cache-control': 'no-store' })
    .end(loginPage(request.url ?? '', house.accounts.values(), error))
}

async function readText(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks).toString()
}

/** A lost interaction (an old page, another browser) is the person's problem; anything else is ours, and loud. */
function fail(response: ServerResponse, error: unknown): void {
  const text = error instanceof Error ? error.message : String(error)
  if (!response.headersSent) response.writeHead(400, { 'content-type': 'text/plain' })
  response.end(`sign-in failed: ${text}`)
}
