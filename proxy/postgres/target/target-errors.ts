import { BrokerError } from '../../session.ts'
import { decodeErrorFields } from '../../wire/postgres/decode.ts'

/**
 * Why a sign-in upstream failed, in words fit for the client: no address and no certificate detail (they are in `cause`, for the
 * log), and never the token.
 */
export function toTargetError(error: unknown): BrokerError {
  if (error instanceof BrokerError) return error
  const code = codeOf(error)
  if (isCertificateError(code)) {
    const hint =
      'The certificate is not one of the trusted roots, or not for this endpoint; an operator sees which in the log.'
    return new BrokerError('TARGET_UNTRUSTED', code, { cause: error, hint })
  }
  if (code === 'ABORT_ERR' || code === 'ETIMEDOUT')
    return new BrokerError('TARGET_UNREACHABLE', 'no answer in time', { cause: error })
  if (/^(ECONN|EHOST|ENET|ENOTFOUND|EAI_|EPIPE|EADDR)/.test(code)) {
    const hint = 'Is the database up, and may the broker reach it (security group, route, name)?'
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

const hints: Readonly<Partial<Record<string, string>>> = {
  '28': 'The target did not accept the IAM token: is IAM authentication on, has the database user the role rds_iam, and may the broker’s role rds-db:connect as this user?',
  '53300': 'The target has no free connection; try later.',
  '57P03': 'The target is starting, stopping or recovering; try later.',
}

/** An ErrorResponse in answer to our sign-in. What the server says is shown: it names the user and database, no secret. */
export function refusedSignIn(body: Buffer): BrokerError {
  const { C: state = '', M: message = '' } = decodeErrorFields(body)
  const said = message.replace(/[\p{Cc}\p{Cf}]/gu, ' ').slice(0, 300)
  const detail = `${said} (${/^[0-9A-Z]{5}$/.test(state) ? state : 'no SQLSTATE'})`
  const hint = hints[state.startsWith('28') ? '28' : state]
  // 3D000: there is no such database; 42501: the database user may not connect to it.
  const code = state === '3D000' || state === '42501' ? 'DATABASE_DENIED' : 'TARGET_REFUSED'
  return new BrokerError(code, detail, hint === undefined ? {} : { hint })
}
