import { AuthorizationResponseError, ResponseBodyError } from 'openid-client'
import { BrokerError } from '../../../proxy/session.ts'

/**
 * Says what a failure of openid-client means to the person: the provider did not answer, it refused, or its answer failed
 * validation. The cause is kept for the log.
 * @param subject what was being read, e.g. `its tokens`
 */
export function providerFailure(cause: unknown, subject: string): BrokerError {
  if (cause instanceof BrokerError) return cause
  if (isUntrusted(cause))
    return new BrokerError('PROVIDER_UNAVAILABLE', 'its certificate is not trusted here', {
      cause,
      hint: untrustedHint,
    })
  if (isSilence(cause)) return new BrokerError('PROVIDER_UNAVAILABLE', 'try again in a moment', { cause })
  if (cause instanceof AuthorizationResponseError || cause instanceof ResponseBodyError)
    return new BrokerError('LOGIN_FAILED', `the identity provider refused it (${errorName(cause.error)})`, { cause })
  return new BrokerError('LOGIN_FAILED', `the identity provider answered, but ${subject} failed validation`, {
    cause,
    hint: isOffTime(cause) ? 'compare the clocks of the identity provider and of this machine' : undefined,
  })
}

/** True when the provider says that this refresh token is no longer valid (RFC 6749, section 5.2). */
export function isGone(error: unknown): boolean {
  return error instanceof ResponseBodyError && error.error === 'invalid_grant'
}

const untrustedHint = 'an admin must name the authority that issued it in NODE_EXTRA_CA_CERTS of the daemon'

const untrusted = new Set([
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'CERT_HAS_EXPIRED',
])

/** TLS failed because of the certificate: trying again will not help. */
function isUntrusted(error: unknown): boolean {
  if (!(error instanceof Error)) return false
  return ('code' in error && untrusted.has(String(error.code))) || isUntrusted(error.cause)
}

/** An ID token has expired, or is not valid yet, by the clock of this machine. */
function isOffTime(error: unknown): boolean {
  if (!(error instanceof Error)) return false
  return ('code' in error && error.code === 'OAUTH_JWT_TIMESTAMP_CHECK_FAILED') || isOffTime(error.cause)
}

function isSilence(error: unknown): boolean {
  if (!(error instanceof Error)) return false
  const code = 'code' in error ? error.code : undefined
  if (error instanceof TypeError) return code === undefined // what fetch throws; openid-client's own carry a code
  if (code === 'OAUTH_TIMEOUT' || code === 'OAUTH_ABORT') return true
  const { cause } = error
  if (cause instanceof Response) return cause.status >= 500 || cause.status === 429
  return cause instanceof Error && code !== 'OAUTH_PARSE_ERROR' && isSilence(cause)
}

/** The answer's `error`, which anyone can put into a link: only what RFC 6749 allows, and short. */
function errorName(error: string): string {
  return /^[a-z_]{1,64}$/.test(error) ? error : 'unknown error'
}
