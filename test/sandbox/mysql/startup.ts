import { createHash } from 'node:crypto'
import type { Reader } from '../rds-startup.ts'

/** What a MySQL client and server say until the client is signed in. All that a database endpoint needs of the protocol. */
export const flags = {
  connectWithDatabase: 0x8,
  ssl: 0x800,
  protocol41: 0x200,
  secureConnection: 0x8000,
  pluginAuth: 0x80000,
  attributes: 0x100000,
  lengthEncodedAuth: 0x200000,
} as const

const maxPacketBytes = 70_000 // 64 KiB of attributes and what is around them
export const scrambleBytes = 20

export interface Packet {
  readonly sequence: number
  readonly payload: Buffer
}

/** @throws Error for a packet longer than anything said before sign-in, or when the peer leaves */
export async function readPacket(reader: Reader): Promise<Packet> {
  const head = await reader.take(4)
  const length = head.readUIntLE(0, 3)
  if (length > maxPacketBytes) throw new Error(`a packet of ${length} bytes before sign-in`)
  return { sequence: head[3] ?? 0, payload: length === 0 ? Buffer.alloc(0) : await reader.take(length) }
}

export function encodePacket(sequence: number, payload: Uint8Array): Buffer {
  const head = Buffer.alloc(4)
  head.writeUIntLE(payload.length, 0, 3)
  head[3] = sequence & 0xff
  return Buffer.concat([head, payload])
}

/** The server's first packet: handshake version 10. */
export interface Greeting {
  readonly version: string
  readonly threadId: number
  /** 20 bytes. */
  readonly scramble: Buffer
  readonly capabilities: number
  readonly charset: number
  readonly status: number
  /** The ten reserved bytes; MariaDB has its extended capabilities in the last four. */
  readonly reserved: Buffer
  readonly plugin: string
}

/** @throws Error for anything else, an ERR packet too */
export function readGreeting(payload: Buffer): Greeting {
  if (payload[0] !== 10) throw new Error(`not a greeting: ${payload.toString('latin1')}`)
  const end = payload.indexOf(0, 1)
  const at = end + 1
  const secondPart = payload.subarray(at + 31, at + 31 + 12)
  return {
    version: payload.toString('latin1', 1, end),
    threadId: payload.readUInt32LE(at),
    scramble: Buffer.concat([payload.subarray(at + 4, at + 12), secondPart]),
    capabilities: (payload.readUInt16LE(at + 13) | (payload.readUInt16LE(at + 18) << 16)) >>> 0,
    charset: payload[at + 15] ?? 0,
    status: payload.readUInt16LE(at + 16),
    reserved: payload.subarray(at + 21, at + 31),
    plugin: payload.toString('latin1', at + 44, payload.length - 1),
  }
}

export function encodeGreeting(greeting: Greeting): Buffer {
  const fixed = Buffer.alloc(4 + 8 + 1 + 2 + 1 + 2 + 2 + 1)
  fixed.writeUInt32LE(greeting.threadId)
  greeting.scramble.copy(fixed, 4, 0, 8)
  fixed.writeUInt16LE(greeting.capabilities & 0xffff, 13)
  fixed[15] = greeting.charset
  fixed.writeUInt16LE(greeting.status, 16)
  fixed.writeUInt16LE(greeting.capabilities >>> 16, 18)
  fixed[20] = scrambleBytes + 1
  return Buffer.concat([
    Buffer.from([10]),
    cstring(greeting.version),
    fixed,
    greeting.reserved,
    greeting.scramble.subarray(8),
    Buffer.from([0]),
    cstring(greeting.plugin),
  ])
}

/** What the client answers: it asks for TLS, or signs in. */
export type Response = { readonly type: 'ssl' } | ({ readonly type: 'login' } & LoginResponse)

export interface LoginResponse {
  readonly capabilities: number
  readonly maxPacketBytes: number
  readonly charset: number
  readonly filler: Buffer
  readonly user: string
  readonly auth: Buffer
  readonly database: string | null
  readonly plugin: string
  readonly attributes: ReadonlyMap<string, string>
  /** The attributes as they came, with their length ahead. */
  readonly attributeBytes: Buffer
}

/** HandshakeResponse41 or SSLRequest. @throws Error for a client of the protocol before 4.1, or a layout that does not fit */
export function readResponse(payload: Buffer): Response {
  if (payload.length < 32) throw new Error('a handshake response of less than 32 bytes')
  const capabilities = payload.readUInt32LE(0)
  if (!(capabilities & flags.protocol41)) throw new Error('a client without PROTOCOL_41')
  if (payload.length === 32) {
    if (!(capabilities & flags.ssl)) throw new Error('a short response that does not ask for TLS')
    return { type: 'ssl' }
  }
  const cursor = createCursor(payload, 32)
  const user = cursor.cstring()
  const auth = readAuth(cursor, capabilities)
  const database = capabilities & flags.connectWithDatabase ? cursor.cstring() : null
  const plugin = capabilities & flags.pluginAuth ? cursor.cstring() : ''
  const attributesAt = cursor.at()
  const attributes = capabilities & flags.attributes ? readAttributes(cursor) : new Map<string, string>()
  return {
    type: 'login',
    capabilities,
    maxPacketBytes: payload.readUInt32LE(4),
    charset: payload[8] ?? 0,
    filler: payload.subarray(9, 32),
    user,
    auth,
    database: database === '' ? null : database,
    plugin,
    attributes,
    attributeBytes: payload.subarray(attributesAt, cursor.at()),
  }
}

export function encodeResponse(response: LoginResponse): Buffer {
  const head = Buffer.alloc(9)
  head.writeUInt32LE(response.capabilities)
  head.writeUInt32LE(response.maxPacketBytes, 4)
  head[8] = response.charset
  return Buffer.concat([
    head,
    response.filler,
    cstring(response.user),
    Buffer.from([response.auth.length]),
    response.auth,
    response.capabilities & flags.connectWithDatabase ? cstring(response.database ?? '') : Buffer.alloc(0),
    cstring(response.plugin),
    response.capabilities & flags.attributes ? response.attributeBytes : Buffer.alloc(0),
  ])
}

interface Cursor {
  at(): number
  cstring(): string
  take(length: number): Buffer
  lengthEncoded(): number
}

function createCursor(payload: Buffer, start: number): Cursor {
  let at = start
  const take = (length: number) => {
    if (at + length > payload.length) throw new Error('a length beyond the end of the packet')
    at += length
    return payload.subarray(at - length, at)
  }
  return {
    at: () => at,
    take,
    cstring: () => {
      const end = payload.indexOf(0, at)
      if (end < 0) throw new Error('a string without an end')
      return take(end + 1 - at)
        .subarray(0, -1)
        .toString()
    },
    lengthEncoded: () => {
      const [first = 0xff] = take(1)
      if (first < 0xfb) return first
      if (first === 0xfc) return take(2).readUInt16LE()
      if (first === 0xfd) return take(3).readUIntLE(0, 3)
      throw new Error('a length that no sign-in has')
    },
  }
}

function readAuth(cursor: Cursor, capabilities: number): Buffer {
  if (capabilities & flags.lengthEncodedAuth) return cursor.take(cursor.lengthEncoded())
  if (capabilities & flags.secureConnection) return cursor.take(cursor.take(1)[0] ?? 0)
  return Buffer.from(cursor.cstring())
}

function readAttributes(cursor: Cursor): Map<string, string> {
  const attributes = new Map<string, string>()
  const total = cursor.lengthEncoded()
  const end = cursor.at() + total
  while (cursor.at() < end) {
    const name = cursor.take(cursor.lengthEncoded()).toString()
    attributes.set(name, cursor.take(cursor.lengthEncoded()).toString())
  }
  if (cursor.at() !== end) throw new Error('the attributes do not have their length')
  return attributes
}

/** AuthSwitchRequest: 0xFE, plugin, NUL, data. MariaDB's PAM plugin sends no data; others 20 bytes and NUL. */
export function encodeSwitch(plugin: string, data: Uint8Array): Buffer {
  return Buffer.concat([Buffer.from([0xfe]), cstring(plugin), data])
}

/** ERR: 0xFF, int<2> code, then '#' and five characters of SQLSTATE, which no error ahead of the greeting has; text to the end. */
export function encodeError(code: number, sqlState: string | null, text: string): Buffer {
  return Buffer.concat([
    Buffer.from([0xff, code & 0xff, code >> 8]),
    Buffer.from(sqlState ? `#${sqlState}${text}` : text),
  ])
}

/** OK without anything to say: 0x00, no rows, no id, autocommit, no warnings. */
export const ok = Buffer.from([0, 0, 0, 2, 0, 0, 0])

/** mysql_native_password: SHA1(password) XOR SHA1(scramble, SHA1(SHA1(password))). */
export function nativeAnswer(password: string, scramble: Buffer): Buffer {
  const sha1 = (...parts: (string | Buffer)[]) =>
    parts.reduce((hash, part) => hash.update(part), createHash('sha1')).digest()
  const once = sha1(password)
  const mask = sha1(scramble, sha1(once))
  return Buffer.from(once.map((byte, index) => byte ^ (mask[index] ?? 0)))
}

function cstring(text: string): Buffer {
  return Buffer.concat([Buffer.from(text), Buffer.from([0])])
}
