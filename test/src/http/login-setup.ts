import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Test } from 'tap'
import { BrokerError } from '../../../proxy/session.ts'
import { buildApp } from '../../../src/http/app.ts'
import { identityRoutes } from '../../../src/http/routes/identity.ts'
import { loginRoutes } from '../../../src/http/routes/login.ts'
import { uiRoutes } from '../../../src/http/routes/page/ui.ts'
import type { IdentityService } from '../../../src/identity/identity.ts'
import type { Logins, LoginVia, Vouched } from '../../../src/identity/logins/logins.ts'
import type { EndedAtProvider } from '../../../src/identity/oidc/logout-token.ts'
import { createOidc, type Oidc, type OidcDeps } from '../../../src/identity/oidc/oidc.ts'
import type { Login } from '../../../src/identity/principal.ts'
import { type Keyring, openKeyring } from '../../../src/store/keyring.ts'
import { type Db, openStore } from '../../../src/store/store.ts'
import { createLogger } from '../../../src/telemetry/logger.ts'
import { createMetrics } from '../../../src/telemetry/metrics.ts'
import { type OidcOptions, type Oidc as Provider, startOidc } from '../../sandbox/oidc.ts'
import { freePort } from '../../sandbox/ports.ts'

export const hour = 3_600_000

/** The sign-in part of the daemon over HTTP, with logins kept in memory. */
export interface LoginServer {
  readonly url: string
  readonly oidc: Oidc
  readonly logins: KeptLogins
  readonly clock: { now(): number; advance(ms: number): void }
  /** What was asked of the rest of identity, in order. */
  readonly calls: unknown[][]
  readonly db: Db
  readonly keyring: Keyring
}

/** Logins as the store would keep them. */
export interface KeptLogins extends Logins {
  readonly begun: { vouched: Vouched; via: LoginVia; login: Login; secret: string }[]
  readonly failures: string[]
  readonly finished: string[]
  readonly endedAtProvider: EndedAtProvider[]
  lock(subject: string): void
}

export interface SetupOptions {
  /** Default 100. */
  readonly deviceIntervalMs?: number
  readonly oidc?: Partial<OidcDeps['config']>
  /** `server.public_url`, where it isn't the address we listen on. */
  readonly publicUrl?: string
  readonly fetch?: OidcDeps['fetch']
  /** Listens with TLS when given. */
  readonly tls?: { cert: string; key: string }
  /** A second daemon on the store of this one. */
  readonly beside?: LoginServer
}

export async function startProvider(t: Test, options: OidcOptions = {}): Promise<Provider> {
  const provider = await startOidc(options)
  t.teardown(() => provider.close())
  return provider
}

export async function startLoginServer(
  t: Test,
  provider: Pick<Provider, 'issuer' | 'clientId' | 'clientSecret'> & Partial<Pick<Provider, 'allow'>>,
  options: SetupOptions = {},
): Promise<LoginServer> {
  const dir = mkdtempSync(join(tmpdir(), 'sallyport-login-'))
  const db = options.beside?.db ?? (await openStore({ url: 'sqlite::memory:' }))
  const keyring = options.beside?.keyring ?? openKeyring(dir)
  const port = await freePort()
  const url = `${options.tls ? 'https' : 'http'}://127.0.0.1:${port}`
  const publicUrl = options.publicUrl ?? url
  provider.allow?.({ redirectUri: `${publicUrl}/callback/oidc`, backchannelLogoutUri: `${url}/callback/oidc/logout` })
  let offset = 0
  const clock = options.beside?.clock ?? {
    now: () => Date.now() + offset,
    advance: (ms: number) => {
      offset += ms
    },
  }
  const logger = createLogger({ level: 'silent' })
  const logins = options.beside?.logins ?? keepLogins(clock.now)
  const calls: unknown[][] = []
  const oidc = createOidc({
    config: configOf(provider, options),
    publicUrl,
    clock,
    logger,
    ...(options.fetch ? { fetch: options.fetch } : {}),
  })
  const app = await buildApp({
    identity: identityOf(logins),
    logger,
    metrics: createMetrics(),
    publicUrl,
    trustedProxies: [],
    ...(options.tls ? { https: options.tls } : {}),
    routes: [
      loginRoutes({
        oidc,
        logins,
        clock,
        db,
        publicUrl,
        keyring,
        deviceIntervalMs: options.deviceIntervalMs ?? 100,
      }),
      uiRoutes({ publicUrl, folder: dir }), // as where the page was not built
      identityRoutes({
        identity: { logins, ...administration(calls) },
        lists: { read: (_login, query, read) => read(query) },
        publicUrl,
        endpointOf: () => null,
      }),
    ],
  })
  await app.listen({ host: '127.0.0.1', port })
  t.teardown(async () => {
    await app.close()
    if (!options.beside) await db.destroy()
    rmSync(dir, { recursive: true })
  })
  return { url, oidc, logins, clock, calls, db, keyring }
}

export function configOf(
  provider: Pick<Provider, 'issuer' | 'clientId' | 'clientSecret'>,
  options: SetupOptions = {},
): OidcDeps['config'] {
  return {
    issuer: provider.issuer,
    clientId: provider.clientId,
    clientSecret: provider.clientSecret,
    scopes: ['openid', 'profile', 'email', 'offline_access'],
    groupsClaim: 'groups',
    groupsSource: 'any',
    freshPrompt: 'login consent',
    managerClaim: 'manager',
    loginClaim: null,
    tagClaims: [],
    adminGroups: [],
    auditorGroups: [],
    sessionIdleMs: 12 * hour,
    sessionMaxMs: 24 * hour,
    probeEveryMs: hour / 4,
    ...options.oidc,
  }
}

function keepLogins(now: () => number): KeptLogins {
  const begun: KeptLogins['begun'] = []
  const locked = new Set<string>()
  const kept: KeptLogins = {
    begun,
    failures: [],
    finished: [],
    endedAtProvider: [],
    lock: (subject) => locked.add(subject),
    begin: async (vouched, via) => {
      if (locked.has(vouched.subject)) throw new BrokerError('PRINCIPAL_LOCKED')
      const secret = randomBytes(32).toString('base64url')
      const login = loginOf(vouched, via, `lgn_${begun.length}`, now())
      begun.push({ vouched, via, login, secret })
      return { secret, login }
    },
    end: async (id) => {
      kept.finished.push(id)
    },
    endOf: async (whose) => kept.endedAtProvider.push(whose),
    failed: (why) => {
      kept.failures.push(why)
    },
  }
  return kept
}

function loginOf(vouched: Vouched, via: LoginVia, id: string, now: number): Login {
  const { issuer, subject, claims, authenticatedAt, acr } = vouched
  return {
    id,
    via,
    interactive: true,
    authenticatedAt,
    acr,
    scopes: null,
    cidr: null,
    expiresAt: now + 24 * hour,
    probed: vouched.refreshToken !== null,
    roles: vouched.subject === 'dave' ? ['user', 'admin'] : ['user'],
    principal: {
      id: `prn_${subject}`,
      kind: 'person',
      issuer,
      subject,
      name: claims.email ?? subject,
      email: claims.email,
      groups: claims.groups,
      manager: claims.manager,
      active: true,
      lockedAt: null,
      ownerId: null,
      madeBy: null,
    },
  }
}

function identityOf(logins: KeptLogins): IdentityService {
  const unused = () => {
    throw new Error('sign-in does not ask for this')
  }
  return {
    authenticate: async ({ cookie, bearer }) =>
      logins.begun.find(({ secret, login }) => secret === (cookie ?? bearer) && !logins.finished.includes(login.id))
        ?.login ?? null,
    principal: unused,
    findPrincipal: unused,
    loginName: unused,
    tagClaims: unused,
    credential: unused,
    tokenKeys: unused,
    identify: unused,
    sweep: unused,
  }
}

type Administration = Omit<Parameters<typeof identityRoutes>[0]['identity'], 'logins'>

/** Answers as identity would, and keeps what it was asked. */
function administration(calls: unknown[][]): Administration {
  const view = {
    principalId: 'prn_alice',
    cidr: null,
    createdAt: 0,
    expiresAt: hour,
    lastUsedAt: null,
    lastUsedFrom: null,
  }
  const target = { kind: 'person', issuer: 'i', subject: 's', email: null, groups: [], manager: null } as const
  const named = (reference: string) => ({
    ...target,
    id: 'prn_x',
    name: reference,
    active: true,
    lockedAt: null,
    ownerId: null,
    madeBy: null,
  })
  const apiToken = { ...view, id: `api_${'0'.repeat(26)}`, createdBy: 'prn_alice' }
  return {
    apiTokens: {
      create: async (login, ask) => {
        calls.push(['create', login.principal.subject, ask])
        return { token: 'spa_secret', view: { ...apiToken, name: ask.name, scopes: ask.scopes } }
      },
      list: async () => pageOf([{ ...apiToken, name: 'ci', scopes: ['read'], cidr: '10.0.0.0/8' }]),
      revoke: async (_login, id) => void calls.push(['revoke', id]),
    },
    connectTokens: {
      issue: () => Promise.reject(new BrokerError('RESOURCE_UNKNOWN')),
      list: async () =>
        pageOf([{ ...view, id: 'k'.repeat(16), grantId: 'grt_1', resourceId: 'rds-postgres/1/r/orders', level: 'ro' }]),
      revoke: async (_login, id) => void calls.push(['revoke-connect', id]),
    },
    principals: async () => pageOf([]),
    lock: async (_login, reference, why) => {
      calls.push(['lock', reference, why])
      return named(reference)
    },
    unlock: async (_login, reference, why) => {
      calls.push(['unlock', reference, why])
      return named(reference)
    },
    createServiceAccount: () => Promise.reject(new BrokerError('INTERNAL')),
    serviceAccounts: async () => pageOf([]),
    acceptServiceAccount: () => Promise.reject(new BrokerError('INTERNAL')),
    withdrawServiceAccount: () => Promise.reject(new BrokerError('INTERNAL')),
  }
}

function pageOf<T>(items: readonly T[]) {
  return { items, next: null, total: items.length, capped: false }
}
