import { createRemoteJWKSet, customFetch, errors as joseErrors, jwtVerify } from 'jose'
import type { Configuration } from 'openid-client'
import { BrokerError } from '../../../proxy/session.ts'
import type { ProviderDeps } from './oidc-provider.ts'

/** Whose sign-ins the provider ended: one session of a person, or all of theirs when there is no `sid`. */
export interface EndedAtProvider {
  readonly issuer: string
  readonly subject?: string
  readonly sid?: string
}

const event = 'http://schemas.openid.net/event/backchannel-logout'
const youngerThan = '10m'

/** OpenID Connect Back-Channel Logout 1.0, section 2.6. A replay ends what has ended already, so `jti` is not remembered. */
export function createLogoutReader(deps: ProviderDeps & { provider: () => Promise<Configuration> }) {
  let keys: { uri: string; get: ReturnType<typeof createRemoteJWKSet> } | undefined
  const keysAt = (uri: string) => {
    if (keys?.uri !== uri) {
      const { fetch } = deps
      const options = fetch
        ? { [customFetch]: (at: string, init: object) => fetch(at, { ...init, body: null } as never) }
        : {}
      keys = { uri, get: createRemoteJWKSet(new URL(uri), options) }
    }
    return keys.get
  }
  return async (token: string): Promise<EndedAtProvider> => {
    const { issuer, jwks_uri: uri } = (await deps.provider()).serverMetadata()
    if (!uri) throw new BrokerError('LOGIN_FAILED', 'the identity provider publishes no keys')
    try {
      const { payload } = await jwtVerify(token, keysAt(uri), {
        issuer,
        audience: deps.config.clientId,
        algorithms: ['RS256', 'PS256', 'ES256', 'RS384', 'PS384', 'ES384', 'RS512', 'PS512', 'ES512', 'EdDSA'],
        maxTokenAge: youngerThan,
        clockTolerance: 30,
        currentDate: new Date(deps.clock.now()),
        requiredClaims: ['iat', 'jti', 'events'],
      })
      return { issuer, ...readSubject(payload) }
    } catch (cause) {
      if (cause instanceof BrokerError) throw cause
      const silent = !(cause instanceof joseErrors.JOSEError) || cause instanceof joseErrors.JWKSTimeout
      throw new BrokerError(silent ? 'PROVIDER_UNAVAILABLE' : 'LOGIN_FAILED', 'the logout token was rejected', {
        cause,
      })
    }
  }
}

function readSubject(payload: Record<string, unknown>): Omit<EndedAtProvider, 'issuer'> {
  const { sub, sid, events, nonce } = payload
  const isLogout = typeof events === 'object' && events !== null && event in events && nonce === undefined
  const about = {
    ...(typeof sub === 'string' && sub ? { subject: sub } : {}),
    ...(typeof sid === 'string' && sid ? { sid } : {}),
  }
  if (!isLogout || Object.keys(about).length === 0) throw new BrokerError('LOGIN_FAILED', 'this is not a logout token')
  return about
}
