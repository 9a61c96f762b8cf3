/** Bodies of messages (the bytes after the length word) to values. See messages.ts for what is left out. */

import { WireError } from '../wire-error.ts'
import { BodyReader } from './body-reader.ts'
import {
  type Authentication,
  type BackendMessage,
  type BindMessage,
  type ErrorFields,
  type FrontendMessage,
  type FunctionCallMessage,
  type InitialMessage,
  maxStartupBytes,
  type ParseMessage,
  requestCode,
  type SaslInitialResponse,
  type StartupMessage,
} from './messages.ts'

const extensionPrefix = '_pq_.'
const letter = (type: number): string => String.fromCharCode(type)

/**
 * Checks the length word that begins a connection. Layout: int32 length, itself included.
 * @returns how many bytes follow it
 * @throws WireError before anything is allocated
 */
export function checkStartupLength(length: number): number {
  if (length < 8 || length > maxStartupBytes) throw new WireError('invalid length of startup packet')
  return length - 4
}

/**
 * SSLRequest, GSSENCRequest, CancelRequest or StartupMessage. Layout: int32 code, then what the code says.
 * @param body the packet without its length word
 * @throws WireError; also for a parameter given twice, because PostgreSQL would take the last and a reader may take the first
 */
export function decodeInitial(body: Buffer): InitialMessage {
  const reader = new BodyReader(body)
  const code = reader.uint32()
  switch (code) {
    case requestCode.ssl:
      reader.finish()
      return { kind: 'ssl' }
    case requestCode.gssEnc:
      reader.finish()
      return { kind: 'gssenc' }
    case requestCode.cancel:
      return decodeCancel(reader)
    default:
      return decodeStartup(reader, code)
  }
}

/** Layout: int32 pid, then the key: 4 bytes in protocol 3.0, up to 256 in 3.2. */
function decodeCancel(reader: BodyReader): InitialMessage {
  const pid = reader.int32()
  const key = reader.rest()
  if (key.length < 4 || key.length > 256) throw new WireError('invalid length of cancel key')
  return { kind: 'cancel', pid, key }
}

/** Layout: (cstring name, cstring value)*, then one NUL. Major 3 only: other versions may have another layout. */
function decodeStartup(reader: BodyReader, code: number): StartupMessage {
  const [major, minor] = [code >>> 16, code & 0xffff]
  const parameters = new Map<string, string>()
  const extensions: string[] = []
  if (major !== 3) return { kind: 'startup', major, minor, parameters, extensions }
  for (let name = reader.text(); name !== ''; name = reader.text()) {
    const value = reader.text()
    if (parameters.has(name) || extensions.includes(name)) throw new WireError(`parameter "${name}" is given twice`)
    if (name.startsWith(extensionPrefix)) extensions.push(name)
    else parameters.set(name, value)
  }
  reader.finish()
  return { kind: 'startup', major, minor, parameters, extensions }
}

/** Any message of a signed-in client. @throws WireError, also for a type that clients don't send then */
export function decodeFrontend(type: number, body: Buffer): FrontendMessage {
  switch (letter(type)) {
    case 'Q':
      return { kind: 'query', sql: decodeQuery(body) }
    case 'P':
      return decodeParse(body)
    case 'B':
      return decodeBind(body)
    case 'E':
      return decodeExecute(body)
    case 'D':
      return { kind: 'describe', ...decodeTarget(body) }
    case 'C':
      return { kind: 'close', ...decodeTarget(body) }
    case 'F':
      return decodeFunctionCall(body)
    case 'd':
      return { kind: 'copy-data', data: body }
    case 'f':
      return { kind: 'copy-fail', reason: whole(body, (reader) => reader.cstring()) }
    case 'S':
      return empty(body, 'sync')
    case 'H':
      return empty(body, 'flush')
    case 'X':
      return empty(body, 'terminate')
    case 'c':
      return empty(body, 'copy-done')
    default:
      throw new WireError(`invalid frontend message type ${type}`)
  }
}

/** Query. Layout: cstring sql; nothing may follow its NUL. */
export function decodeQuery(body: Buffer): Buffer {
  return whole(body, (reader) => reader.cstring())
}

/** Parse. Layout: cstring statement, cstring sql, int16 n, n × int32 OID. */
export function decodeParse(body: Buffer): ParseMessage {
  return whole(body, (reader) => {
    const [statement, sql] = [reader.cstring(), reader.cstring()]
    return { kind: 'parse', statement, sql, oids: reader.list(4, () => reader.uint32()) }
  })
}

/** Bind. Layout: cstring portal, cstring statement, n × int16 format, m × value, r × int16 result format, each with its int16 count. */
export function decodeBind(body: Buffer): BindMessage {
  return whole(body, (reader) => {
    const [portal, statement] = [reader.cstring(), reader.cstring()]
    const { formats, values } = readValues(reader)
    return { kind: 'bind', portal, statement, formats, values, resultFormats: reader.list(2, () => readFormat(reader)) }
  })
}

/** FunctionCall. Layout: int32 OID, n × int16 format, m × value, int16 result format. Runs a function without any SQL. */
export function decodeFunctionCall(body: Buffer): FunctionCallMessage {
  return whole(body, (reader) => {
    const oid = reader.uint32()
    return { kind: 'function-call', oid, ...readValues(reader), resultFormat: readFormat(reader) }
  })
}

function readValues(reader: BodyReader): { formats: number[]; values: (Buffer | null)[] } {
  const formats = reader.list(2, () => readFormat(reader))
  const values = reader.list(4, () => reader.value())
  if (formats.length > 1 && formats.length !== values.length) {
    throw new WireError(`${formats.length} parameter formats for ${values.length} parameters`)
  }
  return { formats, values }
}

function readFormat(reader: BodyReader): number {
  const format = reader.int16()
  if (format > 1) throw new WireError(`unsupported format code ${format}`)
  return format
}

function decodeExecute(body: Buffer): FrontendMessage {
  return whole(body, (reader) => ({ kind: 'execute', portal: reader.cstring(), maxRows: reader.int32() }))
}

function decodeTarget(body: Buffer): { what: 'statement' | 'portal'; name: Buffer } {
  return whole(body, (reader) => {
    const what = letter(reader.byte())
    if (what !== 'S' && what !== 'P') throw new WireError('neither a statement nor a portal')
    return { what: what === 'S' ? 'statement' : 'portal', name: reader.cstring() }
  })
}

/** PasswordMessage. Layout: cstring. */
export function decodePassword(body: Buffer): string {
  return whole(body, (reader) => reader.text())
}

/** SASLInitialResponse. Layout: cstring mechanism, int32 length (−1: none), bytes. */
export function decodeSaslInitial(body: Buffer): SaslInitialResponse {
  return whole(body, (reader) => ({ mechanism: reader.text(), data: reader.value() ?? Buffer.alloc(0) }))
}

/** Any message of a server. @throws WireError, also for a type that servers don't send */
export function decodeBackend(type: number, body: Buffer): BackendMessage {
  switch (letter(type)) {
    case 'R':
      return { kind: 'authentication', ...decodeAuthentication(body) }
    case 'S':
      return whole(body, (reader) => ({ kind: 'parameter-status', name: reader.text(), value: reader.text() }))
    case 'K':
      return decodeBackendKeyData(body)
    case 'v':
      return decodeNegotiation(body)
    case 'Z':
      return decodeReady(body)
    case 't':
      return { kind: 'parameter-description', oids: decodeParameterDescription(body) }
    case 'C':
      return { kind: 'command-complete', tag: whole(body, (reader) => reader.text()) }
    case 'E':
      return { kind: 'error', fields: decodeErrorFields(body) }
    case 'N':
      return { kind: 'notice', fields: decodeErrorFields(body) }
    case 'A':
      return whole(body, (reader) => {
        const pid = reader.int32()
        return { kind: 'notification', pid, channel: reader.text(), payload: reader.text() }
      })
    case 'G':
      return decodeCopy(body, 'copy-in')
    case 'H':
      return decodeCopy(body, 'copy-out')
    case 'W':
      return decodeCopy(body, 'copy-both')
    case '1':
    case '2':
    case '3':
    case 'n':
    case 's':
    case 'I':
    case 'c':
      new BodyReader(body).finish()
      return { kind: 'other', type }
    case 'T':
    case 'D':
    case 'd':
    case 'V':
      return { kind: 'other', type }
    default:
      throw new WireError(`invalid backend message type ${type}`)
  }
}

/** Authentication…. Layout: int32 method, then what it says; SASL: (cstring mechanism)*, then one NUL. */
export function decodeAuthentication(body: Buffer): Authentication {
  const reader = new BodyReader(body)
  const code = reader.int32()
  switch (code) {
    case 0:
    case 3:
      reader.finish()
      return { method: code === 0 ? 'ok' : 'cleartext' }
    case 10: {
      const mechanisms: string[] = []
      for (let name = reader.text(); name !== ''; name = reader.text()) mechanisms.push(name)
      reader.finish()
      return { method: 'sasl', mechanisms }
    }
    case 11:
    case 12:
      return { method: code === 11 ? 'sasl-continue' : 'sasl-final', data: reader.rest() }
    default:
      return { method: 'other', code }
  }
}

function decodeBackendKeyData(body: Buffer): BackendMessage {
  const reader = new BodyReader(body)
  const pid = reader.int32()
  const key = reader.rest()
  if (key.length < 4 || key.length > 256) throw new WireError('invalid length of cancel key')
  return { kind: 'backend-key-data', pid, key }
}

/** Layout: int32 newest version (whole, e.g. 196610), int32 n, n × cstring. */
function decodeNegotiation(body: Buffer): BackendMessage {
  return whole(body, (reader) => {
    const [newest, count] = [reader.uint32(), reader.uint32()]
    if (count > reader.left) throw new WireError('a list is longer than its message')
    return { kind: 'negotiate-protocol-version', newest, unknown: Array.from({ length: count }, () => reader.text()) }
  })
}

function decodeReady(body: Buffer): BackendMessage {
  const status = whole(body, (reader) => letter(reader.byte()))
  if (status !== 'I' && status !== 'T' && status !== 'E') throw new WireError('unknown transaction status')
  return { kind: 'ready-for-query', status }
}

/** DataRow in text format. Layout: int16 n, n × (int32 length, value). */
export function decodeDataRow(body: Buffer): (string | null)[] {
  return whole(body, (reader) => reader.list(4, () => reader.value()?.toString('utf8') ?? null))
}

/** ParameterDescription. Layout: int16 n, n × int32 OID. */
export function decodeParameterDescription(body: Buffer): number[] {
  return whole(body, (reader) => reader.list(4, () => reader.uint32()))
}

/**
 * ErrorResponse and NoticeResponse. Layout: (byte letter, cstring value)*, then one NUL. The first of a letter counts.
 * @throws WireError when a field has no end inside the body
 */
export function decodeErrorFields(body: Buffer): ErrorFields {
  return whole(body, (reader) => {
    const fields: Record<string, string> = {}
    for (let field = reader.byte(); field !== 0; field = reader.byte()) {
      const value = reader.text()
      fields[letter(field)] ??= value
    }
    return fields
  })
}

/** CopyInResponse and its sisters. Layout: byte format, int16 n, n × int16 format. */
function decodeCopy(body: Buffer, kind: 'copy-in' | 'copy-out' | 'copy-both'): BackendMessage {
  return whole(body, (reader) => ({
    kind,
    format: reader.byte(),
    columnFormats: reader.list(2, () => reader.int16()),
  }))
}

function whole<T>(body: Buffer, read: (reader: BodyReader) => T): T {
  const reader = new BodyReader(body)
  const value = read(reader)
  reader.finish()
  return value
}

function empty<K extends 'sync' | 'flush' | 'terminate' | 'copy-done'>(body: Buffer, kind: K): { kind: K } {
  new BodyReader(body).finish()
  return { kind }
}
