import type { StatementError } from '../../recording/statement-entry.ts'
import { encodeError } from '../../wire/mysql/encode.ts'
import { encodePacket } from '../../wire/mysql/packets.ts'

/** An error that the broker answers instead of the server. */
export interface Refusal {
  readonly number: number
  readonly state: string
  readonly message: string
}

/** ER_UNKNOWN_COM_ERROR */
export function notAllowed(command: string): Refusal {
  return { number: 1047, state: '08S01', message: `the broker does not pass on ${command}` }
}

/** ER_DBACCESS_DENIED_ERROR */
export function databaseDenied(database: string, allowed: readonly string[]): Refusal {
  const covered = allowed.slice(0, 20).join(', ')
  return {
    number: 1044,
    state: '42000',
    message: `this access level does not cover database ${database.slice(0, 64)}; it covers ${covered}`,
  }
}

/** ER_NO_SUCH_THREAD, which also says nothing of whose thread it is. */
export function unknownThread(id: number): Refusal {
  return { number: 1094, state: 'HY000', message: `Unknown thread id: ${id}` }
}

/** ER_KILL_DENIED_ERROR */
export function killDenied(id: number): Refusal {
  return { number: 1095, state: 'HY000', message: `You are not owner of thread ${id}` }
}

/** ER_UNKNOWN_ERROR */
export const killFailed: Refusal = {
  number: 1105,
  state: 'HY000',
  message: 'the target could not be asked to stop that thread; try again',
}

/** ER_NOT_SUPPORTED_YET */
export const killPooled: Refusal = {
  number: 1235,
  state: '42000',
  message: 'RDS Proxy carries no KILL; the statement may be left to finish, or its connection closed',
}

/** ER_NOT_SUPPORTED_YET */
export const killAmidOthers: Refusal = {
  number: 1235,
  state: '42000',
  message: 'KILL must be a statement of its own, with the number of one thread',
}

/** ER_UNSUPPORTED_PS */
export const killPrepared: Refusal = {
  number: 1295,
  state: 'HY000',
  message: 'KILL cannot be prepared; send it as a query',
}

/** ER_ACCESS_DENIED_ERROR */
export const otherUser: Refusal = {
  number: 1045,
  state: '28000',
  message: 'a session keeps the user that signed in; connect again to be another',
}

export function encodeRefusal(sequence: number, refusal: Refusal): Buffer {
  return encodePacket(sequence, encodeError(refusal))
}

export function toStatementError({ number, state, message }: Refusal): StatementError {
  return { code: state, number, message: message.slice(0, 2000) }
}

/** OK_Packet of a statement that changed nothing: 0x00, affected rows, last id, int<2> status, int<2> warnings. */
export function encodeOk(sequence: number, status: number): Buffer {
  return encodePacket(sequence, Buffer.from([0, 0, 0, status & 0xff, (status >>> 8) & 0xff, 0, 0]))
}
