import { BrokerError } from '../session.ts'
import { WireError } from '../wire/wire-error.ts'

/**
 * Why a target could not be reached or trusted, as shown to the client: without addresses and certificate details, which are in
 * `cause`, for the log. Bytes that are not the protocol's are the target's fault here, and not a refusal: connecting again may help.
 */
export function toTargetError(error: unknown): BrokerError {
  if (error instanceof BrokerError) return error
  if (error instanceof WireError)
    return new BrokerError('TARGET_LOST', `it violated the protocol: ${error.message}`, { cause: error })
  const code = codeOf(error)
  if (isCertificateError(code)) {
    const hint =
      'The certificate is not signed by one of the trusted roots, or is not for this endpoint; the broker’s log says which.'
    return new BrokerError('TARGET_UNTRUSTED', code, { cause: error, hint })
  }
  if (code === 'ABORT_ERR' || code === 'ETIMEDOUT')
    return new BrokerError('TARGET_UNREACHABLE', 'no answer in time', { cause: error })
  if (/^(ECONN|EHOST|ENET|ENOTFOUND|EAI_|EPIPE|EADDR)/.test(code)) {
    const hint = 'Check that the target is running and that the broker can reach it (security group, route, host name).'
    return new BrokerError('TARGET_UNREACHABLE', code, { cause: error, hint })
  }
  if (code.startsWith('ERR_SSL_') || code === 'EPROTO')
    return new BrokerError('TARGET_UNTRUSTED', 'the TLS handshake failed', { cause: error })
  return new BrokerError('TARGET_LOST', undefined, { cause: error })
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : ''
}

/** OpenSSL's X509_V_ERR_… as Node names them, and Node's own check of the name. */
function isCertificateError(code: string): boolean {
  return (
    code.startsWith('ERR_TLS_CERT') ||
    /^(UNABLE_TO_|CERT_|SELF_SIGNED_|DEPTH_ZERO_|INVALID_CA|HOSTNAME_MISMATCH)/.test(code)
  )
}
