/** Errors for MySQL clients: BrokerError to number and SQLSTATE (MySQL documentation, "Server Error Message Reference"). */

import { printable } from '../printable.ts'
import type { Words } from '../relay/words.ts'
import type { BrokerError, EndNotice, EndReason, ErrorCode } from '../session.ts'
import { type ErrorReply, encodeError } from '../wire/mysql/encode.ts'
import { encodePacket, PacketsOutOfOrder } from '../wire/mysql/packets.ts'
import { MysqlRefusal } from './mysql-refusal.ts'

type Numbered = Pick<ErrorReply, 'number' | 'state'>

const accessDenied: Numbered = { number: 1045, state: '28000' } // ER_ACCESS_DENIED_ERROR
const unknownError: Numbered = { number: 1105, state: 'HY000' } // ER_UNKNOWN_ERROR
const shutdown: Numbered = { number: 1053, state: '08S01' } // ER_SERVER_SHUTDOWN
const tooMany: Numbered = { number: 1040, state: '08004' } // ER_CON_COUNT_ERROR
const locked: Numbered = { number: 3118, state: 'HY000' } // ER_ACCOUNT_HAS_BEEN_LOCKED
const limit: Numbered = { number: 1226, state: '42000' } // ER_USER_LIMIT_REACHED
const outOfOrder: Numbered = { number: 1156, state: '08S01' } // ER_NET_PACKETS_OUT_OF_ORDER

/** Pools drop a connection at 1053; at 1045 they give up. Numbers from 2000 on are the clients' own, so none is sent. */
export const mysqlErrors: Readonly<Record<ErrorCode, Numbered>> = {
  TOKEN_INVALID: accessDenied,
  LOGIN_REQUIRED: accessDenied,
  LOGIN_TOO_OLD: accessDenied,
  LOGIN_FAILED: accessDenied,
  PROVIDER_UNAVAILABLE: unknownError,
  PRINCIPAL_LOCKED: locked,
  PRINCIPAL_INACTIVE: locked,
  ROLE_REQUIRED: accessDenied,
  SCOPE_REQUIRED: accessDenied,
  INTERACTIVE_REQUIRED: accessDenied,
  ORIGIN_REFUSED: accessDenied,
  ADDRESS_REFUSED: accessDenied,
  GRANT_DENIED: accessDenied,
  GRANT_EXPIRED: accessDenied,
  GRANT_TAMPERED: accessDenied,
  DECISION_REFUSED: accessDenied,
  STALE: unknownError,
  RESOURCE_UNKNOWN: accessDenied,
  RESOURCE_AMBIGUOUS: accessDenied,
  LEVEL_UNKNOWN: accessDenied,
  LOGIN_NAME_UNUSABLE: accessDenied,
  SESSION_TAG_UNUSABLE: accessDenied,
  DATABASE_DENIED: { number: 1044, state: '42000' }, // ER_DBACCESS_DENIED_ERROR
  SESSION_KILLED: shutdown,
  LIMIT_REACHED: limit,
  TOO_MANY_SESSIONS: tooMany,
  RESUME_REFUSED: accessDenied,
  SESSION_ELSEWHERE: unknownError,
  IDLE: { number: 4031, state: 'HY000' }, // ER_CLIENT_INTERACTION_TIMEOUT
  DRAINING: shutdown,
  PROTOCOL_ERROR: { number: 1835, state: 'HY000' }, // ER_MALFORMED_PACKET
  UNSUPPORTED: { number: 1235, state: '42000' }, // ER_NOT_SUPPORTED_YET
  TLS_REQUIRED: { number: 3159, state: 'HY000' }, // ER_SECURE_TRANSPORT_REQUIRED
  HANDSHAKE_TIMEOUT: { number: 1159, state: '08S01' }, // ER_NET_READ_INTERRUPTED
  TARGET_UNREACHABLE: unknownError,
  TARGET_UNTRUSTED: unknownError,
  TARGET_REFUSED: unknownError,
  TARGET_LOST: shutdown,
  AWS_DENIED: accessDenied,
  AWS_UNAVAILABLE: unknownError,
  AWS_REGION_OFF: unknownError,
  AUDIT_UNAVAILABLE: unknownError,
  RECORDING_FAILED: shutdown,
  RESTORE_UNCONFIRMED: unknownError,
  CLOCK_WRONG: unknownError,
  NOT_LEADER: unknownError,
  PEER_REFUSED: accessDenied,
  PEER_UNREACHABLE: unknownError,
  STORE_UNAVAILABLE: unknownError,
  RATE_LIMITED: limit,
  INVALID_INPUT: unknownError,
  NOT_FOUND: accessDenied,
  CONFIG_INVALID: unknownError,
  INTERNAL: unknownError,
}

/** Every other cut is 1053, so that pools drop the connection; their next sign-in then gets the full reason. */
const endErrors: Readonly<Partial<Record<EndReason, Numbered>>> = {
  idle: mysqlErrors.IDLE,
  'protocol-error': mysqlErrors.PROTOCOL_ERROR,
}

/** MySQL has no place for a hint, so it follows the text, and the name of our code follows both. `cause` never leaves the broker. */
export function errorReply(error: BrokerError): ErrorReply {
  const { number, state } = numberOf(error)
  const hint = error.hint === undefined ? '' : `. ${error.hint.replace(/\.$/, '')}`
  return { number, state, message: printable(`${error.message}${hint} (Sallyport error ${error.code})`) }
}

function numberOf(error: BrokerError): Numbered {
  if (error instanceof MysqlRefusal) return error
  return error.cause instanceof PacketsOutOfOrder ? outOfOrder : mysqlErrors[error.code]
}

/** For a session that is cut: the text of the notice, as a server that shuts down. */
export function cutReply({ reason, text }: EndNotice): ErrorReply {
  return { ...(endErrors[reason] ?? shutdown), message: printable(text) }
}

/** @param sequence gives the id of the packet that the client waits for */
export function wordsFor(sequence: () => number): Words {
  return {
    error: (error) => encodePacket(sequence(), encodeError(errorReply(error))),
    cut: (notice) => encodePacket(sequence(), encodeError(cutReply(notice))),
  }
}
