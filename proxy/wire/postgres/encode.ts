/** Values to whole messages, header included. */

import { WireError } from '../wire-error.ts'
import { type ErrorFields, requestCode, type TransactionStatus } from './messages.ts'

/** PostgreSQL refuses longer ones; a length that wrapped would turn data into messages (CVE-2024-27304). */
const maxMessageBytes = 0x3fff_ffff

const int32 = (value: number): Buffer => {
  const bytes = Buffer.allocUnsafe(4)
  bytes.writeUInt32BE(value >>> 0)
  return bytes
}

/** @throws WireError for a NUL inside: it would end the string early, and the rest would be read as something else */
const cstring = (text: string): Buffer => {
  if (text.includes('\0')) throw new WireError('a string must not contain NUL')
  return Buffer.from(`${text}\0`)
}

/** Layout: byte type, int32 length without the type, body. */
export function encodeMessage(type: string, ...parts: readonly Buffer[]): Buffer {
  const length = parts.reduce((sum, part) => sum + part.length, 4)
  if (length > maxMessageBytes) throw new WireError('the message is too long')
  return Buffer.concat([Buffer.from(type, 'latin1'), int32(length), ...parts])
}

// server → client

/** One byte, not a message: the answer to SSLRequest and GSSENCRequest. */
export const acceptEncryption = Buffer.from('S')
export const refuseEncryption = Buffer.from('N')

export const authenticationOk = encodeMessage('R', int32(0))
export const authenticationCleartext = encodeMessage('R', int32(3))

export function encodeAuthenticationSasl(mechanisms: readonly string[]): Buffer {
  return encodeMessage('R', int32(10), ...mechanisms.map(cstring), Buffer.from([0]))
}

export function encodeSaslContinue(data: Buffer): Buffer {
  return encodeMessage('R', int32(11), data)
}

export function encodeSaslFinal(data: Buffer): Buffer {
  return encodeMessage('R', int32(12), data)
}

export function encodeParameterStatus(name: string, value: string): Buffer {
  return encodeMessage('S', cstring(name), cstring(value))
}

/** @param key exactly 4 bytes for a client of protocol 3.0 or 3.1 */
export function encodeBackendKeyData(pid: number, key: Buffer): Buffer {
  return encodeMessage('K', int32(pid), key)
}

export function encodeReadyForQuery(status: TransactionStatus): Buffer {
  return encodeMessage('Z', Buffer.from(status))
}

/** @param unknown the protocol extensions that the client asked for and we don't know */
export function encodeNegotiateProtocolVersion(minor: number, unknown: readonly string[]): Buffer {
  return encodeMessage('v', int32((3 << 16) | minor), int32(unknown.length), ...unknown.map(cstring))
}

/** What an error says. Severity goes out twice, as `S` (for people) and `V` (for programs). */
export interface ErrorText {
  readonly severity: 'FATAL' | 'ERROR' | 'WARNING' | 'NOTICE'
  /** SQLSTATE. */
  readonly code: string
  readonly message: string
  readonly detail?: string | undefined
  readonly hint?: string | undefined
}

export function encodeError(error: ErrorText): Buffer {
  return encodeMessage('E', encodeFields(error))
}

export function encodeNotice(notice: ErrorText): Buffer {
  return encodeMessage('N', encodeFields(notice))
}

/** NULs in texts are dropped: an error must go out whatever it quotes. */
function encodeFields({ severity, code, message, detail, hint }: ErrorText): Buffer {
  const fields: ErrorFields = {
    S: severity,
    V: severity,
    C: code,
    M: message,
    ...(detail === undefined ? {} : { D: detail }),
    ...(hint === undefined ? {} : { H: hint }),
  }
  const parts = Object.entries(fields).map(([letter, text]) => cstring(letter + (text ?? '').replaceAll('\0', '')))
  return Buffer.concat([...parts, Buffer.from([0])])
}

// client → server

/** Layout: int32 8, int32 code. */
export const sslRequest = Buffer.concat([int32(8), int32(requestCode.ssl)])

export function encodeStartup(parameters: Iterable<readonly [string, string]>, minor = 0): Buffer {
  const pairs = [...parameters].flatMap(([name, value]) => [cstring(name), cstring(value)])
  const body = Buffer.concat([int32((3 << 16) | minor), ...pairs, Buffer.from([0])])
  return Buffer.concat([int32(body.length + 4), body])
}

export function encodeCancel(pid: number, key: Buffer): Buffer {
  return Buffer.concat([int32(12 + key.length), int32(requestCode.cancel), int32(pid), key])
}

export function encodeQuery(sql: string): Buffer {
  return encodeMessage('Q', cstring(sql))
}

export function encodePassword(password: string): Buffer {
  return encodeMessage('p', cstring(password))
}

export const terminate = encodeMessage('X')
