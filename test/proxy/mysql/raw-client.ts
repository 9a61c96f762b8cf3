/** A MySQL client that says exactly what a test wants, in whatever pieces; written by hand, not with our own encoder. */
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import type { Socket } from 'node:net'
import { Duplex } from 'node:stream'
import { type ConnectionOptions, connect as connectTls, type TLSSocket } from 'node:tls'
import type { Test } from 'tap'
import { waitUntil } from '../../wait-until.ts'

export interface Packet {
  readonly sequence: number
  readonly payload: Buffer
}

export const flag = {
  longPassword: 0x1,
  connectWithDatabase: 0x8,
  protocol41: 0x200,
  tls: 0x800,
  transactions: 0x2000,
  secureConnection: 0x8000,
  multiResults: 0x2_0000,
  pluginAuth: 0x8_0000,
  connectAttributes: 0x10_0000,
  lengthEncodedAuth: 0x20_0000,
  sessionTrack: 0x80_0000,
  deprecateEof: 0x100_0000,
  queryAttributes: 0x800_0000,
} as const

const usual =
  flag.longPassword | flag.protocol41 | flag.transactions | flag.secureConnection | flag.multiResults | flag.pluginAuth

/** int<3> length, int<1> sequence id, payload. */
export function packet(sequence: number, ...parts: readonly Buffer[]): Buffer {
  const payload = Buffer.concat(parts)
  return Buffer.concat([
    Buffer.from([payload.length & 255, (payload.length >> 8) & 255, payload.length >> 16, sequence]),
    payload,
  ])
}

export const text = (value: string) => Buffer.from(`${value}\0`)
export const int32 = (value: number) => {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32LE(value >>> 0)
  return bytes
}
/** One byte of length, or 0xFC and two. */
export const sized = (bytes: Buffer) =>
  bytes.length < 251
    ? Buffer.concat([Buffer.from([bytes.length]), bytes])
    : Buffer.concat([Buffer.from([0xfc, bytes.length & 255, bytes.length >> 8]), bytes])

/** Capabilities, int<4> 16 MB, charset 45, 23 bytes. */
export const sslRequest = (sequence = 1) => packet(sequence, loginHead(usual | flag.tls))

const loginHead = (capabilities: number) =>
  Buffer.concat([int32(capabilities), int32(0x100_0000), Buffer.from([45]), Buffer.alloc(23)])

export interface LoginWords {
  readonly user?: string
  readonly plugin?: string
  readonly answer?: Buffer
  readonly database?: string
  readonly attributes?: Readonly<Record<string, string>>
  /** Added to the usual ones. */
  readonly capabilities?: number
}

export function login(words: LoginWords = {}): Buffer {
  const { user = 'anyone', plugin = 'caching_sha2_password', answer = Buffer.from('x'), database, attributes } = words
  const capabilities =
    usual |
    flag.lengthEncodedAuth |
    (words.capabilities ?? 0) |
    (database === undefined ? 0 : flag.connectWithDatabase) |
    (attributes ? flag.connectAttributes : 0)
  const pairs = Object.entries(attributes ?? {}).flatMap((pair) => pair.map((part) => sized(Buffer.from(part))))
  return Buffer.concat([
    loginHead(capabilities),
    text(user),
    sized(answer),
    ...(database === undefined ? [] : [text(database)]),
    text(plugin),
    ...(attributes ? [sized(Buffer.concat(pairs))] : []),
  ])
}

const sha256 = (...parts: readonly (string | Buffer)[]) =>
  parts.reduce((hash, part) => hash.update(part), createHash('sha256')).digest()

/** SHA256(password) XOR SHA256(SHA256(SHA256(password)) ‖ scramble) */
export function sha2Answer(password: string, scramble: Buffer): Buffer {
  const once = sha256(password)
  const mask = sha256(sha256(once), scramble)
  return Buffer.from(once.map((byte, i) => byte ^ (mask[i] ?? 0)))
}

/** Fields of a greeting, each at its own offset. */
export function greetingOf(payload: Buffer) {
  const end = payload.indexOf(0)
  const at = end + 1
  return {
    protocol: payload[0],
    version: payload.toString('latin1', 1, end),
    threadId: payload.readUInt32LE(at),
    capabilities: (payload.readUInt16LE(at + 13) | (payload.readUInt16LE(at + 18) << 16)) >>> 0,
    charset: payload[at + 15],
    scramble: Buffer.concat([payload.subarray(at + 4, at + 12), payload.subarray(at + 31, at + 43)]),
    plugin: payload.toString('latin1', at + 44, payload.length - 1),
  }
}

/** Number, SQLSTATE and text of an ERR packet. */
export function errorOf(payload: Buffer | undefined) {
  if (payload?.[0] !== 0xff || payload[3] !== 0x23) throw new Error(`not an ERR: ${payload?.toString('latin1')}`)
  return {
    number: payload.readUInt16LE(1),
    state: payload.toString('latin1', 4, 9),
    text: payload.toString('utf8', 9),
  }
}

/** Packets of a stream, as they come. */
export class Packets {
  readonly stream: Duplex
  readonly all: Packet[] = []
  #taken = 0
  #rest: Buffer = Buffer.alloc(0)
  #isOver = false
  readonly #onData = (chunk: Buffer) => {
    this.#rest = Buffer.concat([this.#rest, chunk])
    while (this.#rest.length >= 4 && this.#rest.length >= 4 + this.#rest.readUIntLE(0, 3)) {
      const end = 4 + this.#rest.readUIntLE(0, 3)
      this.all.push({ sequence: this.#rest[3] ?? 0, payload: Buffer.from(this.#rest.subarray(4, end)) })
      this.#rest = this.#rest.subarray(end)
    }
  }

  constructor(stream: Duplex) {
    this.stream = stream
    stream.on('data', this.#onData)
    stream.once('close', () => {
      this.#isOver = true
    })
  }

  /** The next one. @throws Error when the stream closes without */
  async next(): Promise<Packet> {
    await waitUntil(() => this.all.length > this.#taken || this.#isOver, 'a packet')
    const found = this.all[this.#taken]
    if (!found) throw new Error('closed without a packet')
    this.#taken += 1
    return found
  }

  /** Gives the stream free for TLS. */
  release(): void {
    this.stream.off('data', this.#onData)
  }
}

/** How the bytes of the TLS handshake are cut. */
export type Cutting = 'as they come' | 'with the request' | 'byte by byte'

/** Asks for TLS and starts it. */
export async function startTls(
  t: Test,
  packets: Packets,
  options: ConnectionOptions,
  cutting: Cutting = 'as they come',
): Promise<TLSSocket> {
  packets.release()
  const socket = packets.stream as Socket
  const under = cutting === 'as they come' ? socket : cut(socket, cutting)
  if (cutting !== 'with the request') socket.write(sslRequest())
  const tls = connectTls({ socket: under as Socket, servername: 'localhost', ...options })
  tls.on('error', () => {})
  t.teardown(() => tls.destroy())
  await once(tls, 'secureConnect')
  return tls
}

function cut(socket: Socket, cutting: Cutting): Duplex {
  let isFirst = true
  const write = async (chunk: Buffer): Promise<void> => {
    const bytes = isFirst && cutting === 'with the request' ? Buffer.concat([sslRequest(), chunk]) : chunk
    isFirst = false
    if (cutting === 'with the request') socket.write(bytes)
    else
      for (const byte of bytes) {
        socket.write(Buffer.from([byte]))
        await new Promise((resolve) => setImmediate(resolve))
      }
  }
  const duplex = new Duplex({
    read: () => void socket.resume(),
    write: (chunk: Buffer, _encoding, done) => void write(chunk).then(() => done(), done),
  })
  socket.on('data', (chunk: Buffer) => {
    if (!duplex.push(chunk)) socket.pause()
  })
  socket.on('end', () => duplex.push(null))
  return duplex
}
