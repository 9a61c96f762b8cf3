/**
 * Errors for PostgreSQL clients: BrokerError to SQLSTATE (PostgreSQL documentation, appendix A). Always FATAL, because the
 * connection ends.
 */

import { type Ending, endingText, stayHint } from '../ending.ts'
import { printable } from '../printable.ts'
import type { Words } from '../relay/words.ts'
import type { BrokerError, EndNotice, EndReason, ErrorCode } from '../session.ts'
import { encodeError, encodeNotice } from '../wire/postgres/encode.ts'
import { TargetRefusal } from './target-refusal.ts'

/** Pools drop a connection at class 08, 57P01 and 57P03, and then sign in again; at 28 they give up. */
export const sqlStates: Readonly<Record<ErrorCode, string>> = {
  TOKEN_INVALID: '28P01', // invalid_password
  LOGIN_REQUIRED: '28000', // invalid_authorization_specification
  LOGIN_TOO_OLD: '28000',
  LOGIN_FAILED: '28000',
  PROVIDER_UNAVAILABLE: '57P03',
  PRINCIPAL_LOCKED: '28000',
  PRINCIPAL_INACTIVE: '28000',
  ROLE_REQUIRED: '28000',
  SCOPE_REQUIRED: '28000',
  INTERACTIVE_REQUIRED: '28000',
  ORIGIN_REFUSED: '28000',
  ADDRESS_REFUSED: '28000',
  GRANT_DENIED: '28000',
  GRANT_EXPIRED: '28000',
  GRANT_TAMPERED: '28000',
  DECISION_REFUSED: '28000',
  STALE: '55000', // object_not_in_prerequisite_state
  RESOURCE_UNKNOWN: '28000',
  RESOURCE_AMBIGUOUS: '28000',
  LEVEL_UNKNOWN: '28000',
  LOGIN_NAME_UNUSABLE: '28000',
  SESSION_TAG_UNUSABLE: '28000',
  DATABASE_DENIED: '3D000', // invalid_catalog_name
  SESSION_KILLED: '57P01', // admin_shutdown
  LIMIT_REACHED: '53400', // configuration_limit_exceeded
  TOO_MANY_SESSIONS: '53300', // too_many_connections
  RESUME_REFUSED: '28000',
  SESSION_ELSEWHERE: '55000',
  IDLE: '57P05', // idle_session_timeout
  DRAINING: '57P03', // cannot_connect_now
  PROTOCOL_ERROR: '08P01', // protocol_violation
  UNSUPPORTED: '0A000', // feature_not_supported
  TLS_REQUIRED: '28000',
  HANDSHAKE_TIMEOUT: '08006', // connection_failure
  TARGET_UNREACHABLE: '08001', // sqlclient_unable_to_establish_sqlconnection
  TARGET_UNTRUSTED: '08001',
  TARGET_REFUSED: '28000',
  TARGET_LOST: '08006',
  AWS_DENIED: '28000',
  AWS_UNAVAILABLE: '08001',
  AWS_REGION_OFF: '08001',
  AUDIT_UNAVAILABLE: '57P03',
  RECORDING_FAILED: '57P01',
  RESTORE_UNCONFIRMED: '57P03',
  CLOCK_WRONG: '57P03',
  NOT_LEADER: '57P03',
  PEER_REFUSED: '28000',
  PEER_UNREACHABLE: '57P03',
  STORE_UNAVAILABLE: '57P03',
  RATE_LIMITED: '53300',
  INVALID_INPUT: '22023', // invalid_parameter_value
  NOT_FOUND: '28000',
  CONFIG_INVALID: 'F0000', // config_file_error
  INTERNAL: 'XX000', // internal_error
}

/** Every other cut is 57P01, so that pools drop the connection; their next sign-in then gets the full reason. */
const endStates: Readonly<Partial<Record<EndReason, string>>> = { idle: '57P05', 'protocol-error': '08P01' }

/** ErrorResponse for what ends a connection. The detail names our own code; `cause` never leaves the broker. */
export function errorResponse(error: BrokerError): Buffer {
  return encodeError({
    severity: 'FATAL',
    code: error instanceof TargetRefusal ? error.state : sqlStates[error.code],
    message: printable(error.message),
    detail: `Sallyport error ${error.code}.`,
    hint: error.hint === undefined ? undefined : printable(error.hint),
  })
}

/** ErrorResponse for a session that is cut: the text of the notice, as an administrator's shutdown. */
export function cutResponse(notice: EndNotice): Buffer {
  return encodeError({
    severity: 'FATAL',
    code: endStates[notice.reason] ?? '57P01',
    message: printable(notice.text),
    detail: `The session ended: ${notice.reason}.`,
  })
}

/** NoticeResponse, which clients show and go on. */
export function endingNotice(ending: Ending): Buffer {
  return encodeNotice({
    severity: 'NOTICE',
    code: '00000', // successful_completion, as notices of the server itself have it
    message: endingText('this session', ending),
    hint: `${capitalized(stayHint(ending))}.`,
  })
}

const capitalized = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1)

export const words: Words = { error: errorResponse, cut: cutResponse, ending: endingNotice }
