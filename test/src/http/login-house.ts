import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Test } from 'tap'
import { BrokerError } from '../../../proxy/session.ts'
import { buildApp } from '../../../src/http/app.ts'
import { loginRoutes } from '../../../src/http/routes/login.ts'
import type { IdentityService } from '../../../src/identity/identity.ts'
import type { Logins, LoginVia, Vouched } from '../../../src/identity/logins.ts'
import type { EndedAtProvider } from '../../../src/identity/logout-token.ts'
import { createOidc, type Oidc, type OidcDeps } from '../../../src/identity/oidc.ts'
import type { Login } from '../../../src/identity/principal.ts'
import { openKeyring } from '../../../src/store/keyring.ts'
import { createLogger } from '../../../src/telemetry/logger.ts'
import { createMetrics } from '../../../src/telemetry/metrics.ts'
import { type Oidc as Provider, startOidc } from '../../sandbox/oidc.ts'
import { freePort } from '../../sandbox/ports.ts'

export const hour = 3_600_000

/** The sign-in part of the daemon over HTTP, with logins kept in memory. */
export interface LoginHouse {
  readonly url: string
  readonly oidc: Oidc
  readonly logins: KeptLogins
  readonly clock: { now(): number; advance(ms: number): void }
}

/** Logins as the store would keep them. */
export interface KeptLogins extends Logins {
  readonly begun: { vouched: Vouched; via: LoginVia; login: Login; secret: string }[]
  readonly failures: string[]
  readonly finished: string[]
  readonly endedAtProvider: EndedAtProvider[]
  lock(subject: string): void
}

export interface HouseOptions {
  readonly oidc?: Partial<OidcDeps['config']>
  /** `server.public_url`, where it isn't the address we listen on. */
  readonly publicUrl?: string
  readonly fetch?: OidcDeps['fetch']
}

export async function startProvider(t: Test): Promise<Provider> {
  const provider = await startOidc()
  t.teardown(() => provider.close())
  return provider
}

export async function startLoginHouse(
  t: Test,
  provider: Pick<Provider, 'issuer' | 'clientId' | 'clientSecret'> & Partial<Pick<Provider, 'allow'>>,
  options: HouseOptions = {},
): Promise<LoginHouse> {
  const dir = mkdtempSync(join(tmpdir(), 'sallyport-login-'))
  const port = await freePort()
  const url = `http://127.0.0.1:${port}`
  const publicUrl = options.publicUrl ?? url
  provider.allow?.({ redirectUri: `${publicUrl}/callback/oidc`, backchannelLogoutUri: `${url}/callback/oidc/logout` })
  let offset = 0
  const clock = {
    now: () => Date.now() + offset,
    advance: (ms: number) => {
      offset += ms
    },
  }
  const logger = createLogger({ level: 'silent' })
  const logins = keepLogins(clock.now)
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
    routes: [
      loginRoutes({
        oidc,
        logins,
        clock,
        publicUrl,
        keyring: openKeyring(dir),
        deviceIntervalMs: 100,
      }),
    ],
  })
  await app.listen({ host: '127.0.0.1', port })
  t.teardown(async () => {
    await app.close()
    rmSync(dir, { recursive: true })
  })
  return { url, oidc, logins, clock }
}

export function configOf(
  provider: Pick<Provider, 'issuer' | 'clientId' | 'clientSecret'>,
  options: HouseOptions = {},
): OidcDeps['config'] {
  return {
    issuer: provider.issuer,
    clientId: provider.clientId,
    clientSecret: provider.clientSecret,
    scopes: ['openid', 'profile', 'email', 'offline_access'],
    groupsClaim: 'groups',
    managerClaim: 'manager',
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
    expiresAt: now + 24 * hour,
    roles: ['user'],
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
    credentialLive: unused,
    scramVerifier: unused,
    identify: unused,
    sweep: unused,
  }
}
