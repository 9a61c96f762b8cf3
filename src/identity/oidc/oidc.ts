import {
  authorizationCodeGrant,
  buildAuthorizationUrl,
  type Configuration,
  calculatePKCECodeChallenge,
  fetchUserInfo,
  randomNonce,
  randomPKCECodeVerifier,
  randomState,
  skipSubjectCheck,
} from 'openid-client'
import { BrokerError } from '../../../proxy/session.ts'
import type { Config } from '../../config/config.ts'
import type { Logger } from '../../telemetry/logger.ts'
import { mostGroups } from '../directory/claims.ts'
import type { Prober, Vouched } from '../logins/logins.ts'
import { type PendingSignIn, type SignInPurpose, type Strength, signInWithinMs } from '../sign-in/sign-in.ts'
import { createLogoutReader, type EndedAtProvider } from './logout-token.ts'
import { type GroupsRead, type LoginNameRead, needsUserinfo, type ProviderClaims, readClaims } from './oidc-claims.ts'
import { providerFailure } from './oidc-errors.ts'
import { createDiscovery, type ProviderDeps } from './oidc-provider.ts'
import { refresh } from './refresh.ts'

/** Follows OpenID Connect Core 1.0 (code flow), RFC 7636 (PKCE, S256), RFC 9207 and Back-Channel Logout 1.0. */
export interface Oidc {
  /** @returns where to send the browser, and what `finish` needs from the same browser */
  start(purpose: SignInPurpose, strength?: Strength): Promise<{ url: URL; pending: PendingSignIn }>
  /**
   * @param query of the request to `/callback/oidc`
   * @throws BrokerError LOGIN_FAILED, PROVIDER_UNAVAILABLE
   */
  finish(pending: PendingSignIn, query: URLSearchParams): Promise<Vouched>
  /** Tries a refresh token. */
  readonly prober: Prober
  /** @throws BrokerError LOGIN_FAILED when the logout token isn't the provider's, or isn't for us */
  readLogoutToken(token: string): Promise<EndedAtProvider>
}

export interface OidcDeps extends ProviderDeps {
  readonly config: Config['oidc']
  /** `server.public_url` */
  readonly publicUrl: string
  readonly logger: Logger
}

export const callbackPath = '/callback/oidc'
/** Difference that the provider's clock and ours may have. */
const toleranceMs = 30_000
const anyStrength: Strength = { maxAgeS: null, acr: null }

export function createOidc(deps: OidcDeps): Oidc {
  const provider = createDiscovery(deps)
  const callback = new URL(callbackPath, deps.publicUrl)
  return {
    start: async (purpose, strength = anyStrength) => {
      const found = await provider()
      const pending = {
        state: randomState(),
        nonce: randomNonce(),
        codeVerifier: randomPKCECodeVerifier(),
        purpose,
        strength,
        startedAt: deps.clock.now(),
      }
      const { state, nonce } = pending
      const parameters = {
        redirect_uri: callback.href,
        scope: deps.config.scopes.join(' '),
        state,
        nonce,
        code_challenge: await calculatePKCECodeChallenge(pending.codeVerifier),
        code_challenge_method: 'S256',
        max_age: String(Math.floor(maxAgeMs(deps, strength) / 1000)),
        ...(strength.maxAgeS === 0 && deps.config.freshPrompt !== null ? { prompt: deps.config.freshPrompt } : {}),
        ...(strength.acr === null ? {} : { acr_values: strength.acr }),
      }
      return { url: buildAuthorizationUrl(found, parameters), pending }
    },
    finish: async (pending, query) => {
      if (deps.clock.now() - pending.startedAt > signInWithinMs)
        throw new BrokerError('LOGIN_FAILED', 'the sign-in timed out; start again')
      const found = await provider()
      const answer = new URL(callback)
      answer.search = query.toString()
      try {
        const tokens = await authorizationCodeGrant(found, answer, {
          expectedState: pending.state,
          expectedNonce: pending.nonce,
          pkceCodeVerifier: pending.codeVerifier,
          idTokenExpected: true,
        })
        const { groups, loginName, ...vouched } = await vouch(deps, found, tokens)
        const problem = reportGroups(deps, vouched.subject, groups)
        if (problem !== null && groups.state !== 'absent')
          throw new BrokerError('LOGIN_FAILED', problem, { hint: hintOf[groups.state] })
        reportLoginName(deps, vouched.subject, loginName)
        checkStrength(deps, pending, vouched)
        return vouched
      } catch (error) {
        throw providerFailure(error, 'its tokens')
      }
    },
    prober: async (refreshToken, keep) => {
      try {
        const found = await provider()
        const tokens = await refresh(found, refreshToken, keep)
        if (tokens === 'gone' || tokens === 'lost') return tokens
        const { id_token: idToken } = tokens
        const { groups, loginName, ...vouched } = await vouch(deps, found, tokens, refreshToken)
        reportGroups(deps, vouched.subject, groups)
        const groupsAbsent = groups.state === 'absent' || groups.state === 'overage'
        const loginNameAbsent = loginName.state === 'absent'
        return { ...vouched, groupsAbsent, loginNameAbsent, ...(idToken === undefined ? {} : { idToken }) }
      } catch (error) {
        deps.logger.warn({ err: providerFailure(error, 'its tokens') }, 'could not probe a sign-in')
        return 'unavailable'
      }
    },
    readLogoutToken: createLogoutReader({ ...deps, provider }),
  }
}

type Tokens = Pick<Awaited<ReturnType<typeof authorizationCodeGrant>>, 'access_token' | 'refresh_token' | 'claims'>

/** An ID token may be missing from an answer to a refresh; then userinfo says who it is about. */
async function vouch(deps: OidcDeps, found: Configuration, tokens: Tokens, kept?: string) {
  const idToken: ProviderClaims = tokens.claims() ?? {}
  const { issuer, userinfo_endpoint: endpoint } = found.serverMetadata()
  const subject = typeof idToken.sub === 'string' ? idToken.sub : skipSubjectCheck
  const userinfo: ProviderClaims =
    endpoint && needsUserinfo(idToken, deps.config) ? await fetchUserInfo(found, tokens.access_token, subject) : {}
  const { auth_time: authTime, acr, sid } = idToken
  return {
    issuer,
    ...readClaims(idToken, userinfo, deps.config),
    // Unknown means long ago: a rule that demands a recent sign-in must not be met by a guess.
    authenticatedAt: typeof authTime === 'number' ? authTime * 1000 : 0,
    acr: typeof acr === 'string' && acr.length <= 512 ? acr : null,
    refreshToken: tokens.refresh_token ?? kept ?? null,
    sid: typeof sid === 'string' && sid.length <= 512 ? sid : null,
  }
}

const hintOf: Readonly<Record<GroupsRead['state'], string | undefined>> = {
  listed: undefined,
  absent: 'check oidc.scopes, oidc.groups_claim and oidc.groups_source',
  overage: 'in Entra ID, send only the groups assigned to the application, or app roles with groups_claim: roles',
  'too-many': 'let the provider send only the groups that rules name',
}

/** @returns what is wrong with the groups as a whole; null where they are listed */
function reportGroups({ config, logger }: OidcDeps, subject: string, { state, dropped }: GroupsRead): string | null {
  const claim = config.groupsClaim
  if (dropped.length > 0)
    logger.warn({ subject, claim, dropped }, 'the provider listed groups that cannot be used; they were dropped')
  if (state === 'listed') return null
  const problem = {
    absent: `the identity provider sent no claim ${claim}`,
    overage: `the identity provider left out the claim ${claim} because it lists too many groups (_claim_names)`,
    'too-many': `the claim ${claim} lists more than ${mostGroups} groups`,
  }[state]
  logger.warn({ subject, claim, hint: hintOf[state] }, problem)
  return problem
}

/** A person without one signs in all the same: only levels with `{login}` are closed to them. */
function reportLoginName({ config, logger }: OidcDeps, subject: string, read: LoginNameRead): void {
  const claim = config.loginClaim
  if (read.state === 'absent') logger.warn({ subject, claim }, 'the ID token has no claim of login names')
  if (read.state === 'unusable')
    logger.warn({ subject, claim, value: read.shown }, 'the ID token has a login name that cannot be used')
}

/** `session_max` bounds how old a sign-in at the provider may be, else single sign-on would extend every login without end. */
function maxAgeMs(deps: OidcDeps, strength: Strength): number {
  const { sessionMaxMs } = deps.config
  return strength.maxAgeS === null ? sessionMaxMs : Math.min(strength.maxAgeS * 1000, sessionMaxMs)
}

/** Providers may ignore `max_age`; some never say when the person signed in, which only matters when a recent sign-in was requested. */
function checkStrength(deps: OidcDeps, pending: PendingSignIn, vouched: Vouched): void {
  const { strength, startedAt } = pending
  if (vouched.authenticatedAt === 0) {
    if (strength.maxAgeS === null) return
    throw new BrokerError('LOGIN_FAILED', 'the identity provider does not say when you signed in there (auth_time)')
  }
  if (vouched.authenticatedAt < startedAt - maxAgeMs(deps, strength) - toleranceMs)
    throw new BrokerError('LOGIN_FAILED', 'the identity provider did not ask you to sign in again')
}
