/**
 * The first packets of both sides (MySQL documentation, "Protocol::HandshakeV10", "Protocol::HandshakeResponse41",
 * "Protocol::SSLRequest"). Left out: HandshakeResponse320, and MariaDB's extended capabilities, which are never offered.
 */
import { WireError } from '../wire-error.ts'
import { scrambleBytes } from './auth.ts'
import { capability, combine, has, requiredCapabilities } from './capabilities.ts'
import { cstring, encodeLength, lengthEncoded } from './encode.ts'
import { PayloadReader } from './payload-reader.ts'

/** What a server says first. */
export interface Greeting {
  readonly version: string
  readonly threadId: number
  /** 20 bytes. */
  readonly scramble: Buffer
  readonly capabilities: number
  /** Id of the default collation, one byte. */
  readonly charset: number
  readonly status: number
  readonly plugin: string
}

/** What a client answers. */
export interface Login {
  readonly capabilities: number
  readonly maxPacketBytes: number
  readonly charset: number
  readonly user: string
  /** What the plugin says; empty: nothing yet. */
  readonly answer: Buffer
  readonly database?: string
  readonly plugin: string
  /** Names and values as they came; a name may come twice. */
  readonly attributes: readonly (readonly [string, string])[]
}

/** An SSLRequest has nothing that may be trusted: the login inside TLS says it again. */
export type LoginMessage = { readonly kind: 'tls' } | ({ readonly kind: 'login' } & Login)

const protocolVersion = 10
const tlsRequestBytes = 32
const fillerBytes = 23
const reservedBytes = 10

export function encodeGreeting({
  version,
  threadId,
  scramble,
  capabilities,
  charset,
  status,
  plugin,
}: Greeting): Buffer {
  const fixed = Buffer.alloc(4 + 8 + 1 + 2 + 1 + 2 + 2 + 1 + reservedBytes)
  fixed.writeUInt32LE(threadId, 0)
  scramble.copy(fixed, 4, 0, 8)
  fixed.writeUInt16LE(capabilities & 0xffff, 13)
  fixed.writeUInt8(charset, 15)
  fixed.writeUInt16LE(status, 16)
  fixed.writeUInt16LE(capabilities >>> 16, 18)
  fixed.writeUInt8(scrambleBytes + 1, 20)
  return Buffer.concat([
    Buffer.from([protocolVersion]),
    cstring(version),
    fixed,
    scramble.subarray(8),
    Buffer.from([0]),
    cstring(plugin),
  ])
}

/** @throws WireError also for servers without protocol 4.1 and plugins */
export function decodeGreeting(payload: Buffer): Greeting {
  const reader = new PayloadReader(payload)
  const protocol = reader.byte()
  if (protocol !== protocolVersion) throw new WireError(`unsupported handshake version ${protocol}`)
  const version = reader.cstring().toString('utf8')
  const threadId = reader.uint32()
  const first = reader.bytes(8)
  reader.byte()
  const low = reader.uint16()
  const charset = reader.byte()
  const status = reader.uint16()
  const capabilities = combine(low, reader.uint16() * 0x1_0000)
  if (!has(capabilities, requiredCapabilities)) throw new WireError('the server is too old to name a plugin')
  const declared = reader.byte()
  reader.bytes(reservedBytes)
  const second = reader.bytes(Math.max(13, declared - 8))
  const scramble = Buffer.concat([first, second]).subarray(0, scrambleBytes)
  // Some servers leave out the NUL behind the name.
  const plugin = reader.rest().toString('latin1').replace(/\0.*$/s, '')
  return { version, threadId, scramble, capabilities, charset, status, plugin }
}

/** @throws WireError; clients without protocol 4.1 and plugins have `capabilities` without {@link requiredCapabilities}, and no more */
export function decodeLogin(payload: Buffer): LoginMessage {
  const reader = new PayloadReader(payload)
  const capabilities = reader.uint32()
  if (payload.length === tlsRequestBytes && has(capabilities, capability.tls)) return { kind: 'tls' }
  const nothing = { kind: 'login', maxPacketBytes: 0, charset: 0, user: '', answer: Buffer.alloc(0) } as const
  if (!has(capabilities, requiredCapabilities)) return { ...nothing, capabilities, plugin: '', attributes: [] }
  const maxPacketBytes = reader.uint32()
  const charset = reader.byte()
  reader.bytes(fillerBytes)
  const user = reader.cstring().toString('utf8')
  const answer = has(capabilities, capability.lengthEncodedAuth) ? reader.string() : reader.bytes(reader.byte())
  const database = has(capabilities, capability.connectWithDatabase) ? reader.cstring().toString('utf8') : ''
  // PHP leaves the name out when it has said all, and some clients the attributes that they announce.
  const plugin = reader.left > 0 ? reader.cstring().toString('latin1') : ''
  const hasAttributes = has(capabilities, capability.connectAttributes) && reader.left > 0
  const attributes = hasAttributes ? decodeAttributes(reader.string()) : []
  const login = { capabilities, maxPacketBytes, charset, user, answer, plugin, attributes }
  return { kind: 'login', ...login, ...(database === '' ? {} : { database }) }
}

function decodeAttributes(bytes: Buffer): [string, string][] {
  const reader = new PayloadReader(bytes)
  const attributes: [string, string][] = []
  while (reader.left > 0) attributes.push([reader.string().toString('utf8'), reader.string().toString('utf8')])
  return attributes
}

/** Followed by the TLS handshake at once. */
export function encodeTlsRequest({ capabilities, maxPacketBytes, charset }: LoginHead): Buffer {
  return encodeLoginHead({ capabilities: combine(capabilities, capability.tls), maxPacketBytes, charset })
}

type LoginHead = Pick<Login, 'capabilities' | 'maxPacketBytes' | 'charset'>

function encodeLoginHead({ capabilities, maxPacketBytes, charset }: LoginHead): Buffer {
  const head = Buffer.alloc(tlsRequestBytes)
  head.writeUInt32LE(capabilities, 0)
  head.writeUInt32LE(maxPacketBytes, 4)
  head.writeUInt8(charset, 8)
  return head
}

/** Its database and its attributes are sent where the capabilities say so. */
export function encodeLogin(login: Login): Buffer {
  const { capabilities, user, answer, database = '', plugin, attributes } = login
  const auth = has(capabilities, capability.lengthEncodedAuth) ? lengthEncoded(answer) : shortAnswer(answer)
  const pairs = attributes.flatMap((pair) => pair.map((text) => lengthEncoded(Buffer.from(text))))
  return Buffer.concat([
    encodeLoginHead(login),
    cstring(user),
    auth,
    ...(has(capabilities, capability.connectWithDatabase) ? [cstring(database)] : []),
    cstring(plugin),
    ...(has(capabilities, capability.connectAttributes) ? [encodeLength(sizeOf(pairs)), ...pairs] : []),
  ])
}

function sizeOf(parts: readonly Buffer[]): number {
  return parts.reduce((sum, part) => sum + part.length, 0)
}

function shortAnswer(answer: Buffer): Buffer {
  return Buffer.concat([Buffer.from([answer.length]), answer])
}
