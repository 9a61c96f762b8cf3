/**
 * Messages of the Session Manager data channel, one to a binary websocket message: `AgentMessage` of aws/amazon-ssm-agent and
 * aws/session-manager-plugin, whose sources are the only description of it. Big-endian: a header of 116 bytes, the length of
 * the payload, the payload. Left out: messages of the control channel.
 */
import { hash } from 'node:crypto'
import { WireError } from '../wire-error.ts'

export const messageType = {
  input: 'input_stream_data',
  output: 'output_stream_data',
  acknowledge: 'acknowledge',
  channelClosed: 'channel_closed',
  startPublication: 'start_publication',
  pausePublication: 'pause_publication',
} as const

/** What the payload of a data message is. */
export const payloadType = {
  /** Of messages that carry no data. */
  none: 0,
  /** Also what clients send. */
  output: 1,
  size: 3,
  handshakeRequest: 5,
  handshakeResponse: 6,
  handshakeComplete: 7,
  challengeRequest: 8,
  challengeResponse: 9,
  flag: 10,
  stderr: 11,
  exitCode: 12,
} as const

/** Of acknowledgements: first and last of their stream. */
export const acknowledgeFlags = 3

const at = {
  headerLength: 0,
  type: 4,
  schemaVersion: 36,
  createdAt: 40,
  sequence: 48,
  flags: 56,
  idLow: 64,
  idHigh: 72,
  digest: 80,
  payloadType: 112,
  payloadLength: 116,
  payload: 120,
} as const

const headerLength = 116
const schemaVersion = 1
const wordSize = 0x1_0000_0000
const noPayload = Buffer.alloc(0)

export interface Message {
  readonly type: string
  /** Epoch milliseconds. */
  readonly createdAt: number
  readonly sequence: number
  readonly flags: number
  /** UUID, in lower case. */
  readonly id: string
  readonly payloadType: number
  /** Receivers take no message without one. */
  readonly payload: Buffer
}

/** The whole of a websocket message. */
export function encodeMessage(message: Message): Buffer {
  const { payload } = message
  const bytes = Buffer.allocUnsafe(at.payload + payload.length)
  bytes.writeUInt32BE(headerLength, at.headerLength)
  bytes.write(message.type.padEnd(at.schemaVersion - at.type), at.type, 'latin1')
  bytes.writeUInt32BE(schemaVersion, at.schemaVersion)
  writeUInt64(bytes, message.createdAt, at.createdAt)
  writeUInt64(bytes, message.sequence, at.sequence)
  writeUInt64(bytes, message.flags, at.flags)
  const id = message.id.replaceAll('-', '')
  bytes.write(id.slice(16), at.idLow, 'hex')
  bytes.write(id.slice(0, 16), at.idHigh, 'hex')
  bytes.set(digestOf(payload), at.digest)
  bytes.writeUInt32BE(message.payloadType, at.payloadType)
  bytes.writeUInt32BE(payload.length, at.payloadLength)
  bytes.set(payload, at.payload)
  return bytes
}

/**
 * One received message at a time, read in place: `payload` is a view, valid as long as the bytes are. As both references do, takes
 * the payload from behind the header to the end of the bytes, whatever length it declares. Stricter than they are: the header has one
 * length, which all senders give it, and no declared length lets a payload pass without its digest.
 */
export class MessageReader implements Message {
  type = ''
  createdAt = 0
  sequence = 0
  flags = 0
  payloadType = 0
  payload: Buffer = noPayload
  #bytes: Buffer = noPayload

  /** Where the last 8 bytes of the UUID come first. */
  get id(): string {
    const hex = this.#bytes.toString('hex', at.idLow, at.digest)
    const [high, low] = [hex.slice(16), hex.slice(0, 16)]
    return `${high.slice(0, 8)}-${high.slice(8, 12)}-${high.slice(12)}-${low.slice(0, 4)}-${low.slice(4)}`
  }

  /** @throws WireError unless it is a message whose digest is that of its payload */
  read(bytes: Buffer): void {
    if (bytes.length < at.payload) throw new WireError('the message is shorter than its header')
    if (bytes.readUInt32BE(at.headerLength) !== headerLength) throw new WireError('invalid header length')
    const type = readType(bytes)
    this.#bytes = bytes
    this.type = type
    this.createdAt = readUInt64(bytes, at.createdAt)
    this.payloadType = bytes.readUInt32BE(at.payloadType)
    this.payload = bytes.subarray(at.payload)
    this.sequence = 0
    this.flags = 0
    // The service sends these with nothing else that could be relied on.
    if (type === messageType.startPublication || type === messageType.pausePublication) return
    if (this.createdAt === 0) throw new WireError('the message has no date')
    this.sequence = readUInt64(bytes, at.sequence)
    this.flags = readUInt64(bytes, at.flags)
    if (!Number.isSafeInteger(this.sequence)) throw new WireError('invalid sequence number')
    if (this.payload.length === 0 && bytes.readUInt32BE(at.payloadLength) === 0) return
    if (bytes.compare(digestOf(this.payload), 0, 32, at.digest, at.payloadType) !== 0)
      throw new WireError('the digest of the message does not match its payload')
  }
}

/** Padded with spaces, by some with NUL, at either end. */
function readType(bytes: Buffer): string {
  const type = bytes
    .toString('latin1', at.type, at.schemaVersion)
    .replaceAll(/^\0+|\0+$/g, '')
    .trim()
  if (type === '') throw new WireError('the message has no type')
  return type
}

function digestOf(payload: Buffer): Buffer {
  return hash('sha256', payload, 'buffer')
}

function readUInt64(bytes: Buffer, offset: number): number {
  return bytes.readUInt32BE(offset) * wordSize + bytes.readUInt32BE(offset + 4)
}

function writeUInt64(bytes: Buffer, value: number, offset: number): void {
  bytes.writeUInt32BE(Math.floor(value / wordSize), offset)
  bytes.writeUInt32BE(value % wordSize, offset + 4)
}
