import type * as Decode from '../../proxy/wire/postgres/decode.ts'
import type * as Framing from '../../proxy/wire/postgres/framer.ts'
import type * as Scram from '../../proxy/wire/postgres/scram.ts'
import type * as StartupOptions from '../../proxy/wire/postgres/startup-options.ts'
import type * as WireErrors from '../../proxy/wire/wire-error.ts'
import fc from '../fast-check.ts'
import { loadCodec } from './load-codec.ts'

/** The codec of `proxy/wire/postgres`, or a copy of it with a fault. */
export interface PostgresCodec {
  readonly decode: typeof Decode
  readonly framer: typeof Framing
  readonly scram: typeof Scram
  readonly startupOptions: typeof StartupOptions
  readonly errors: typeof WireErrors
}

/** @param folder URL that ends in a slash */
export function loadPostgresCodec(folder: string): Promise<PostgresCodec> {
  return loadCodec<PostgresCodec>(folder, {
    decode: 'decode',
    framer: 'framer',
    scram: 'scram',
    startupOptions: 'startup-options',
    errors: '../wire-error',
  })
}

const anyBytes = fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes))
/** Bytes that look like a message more often: few values, many NULs. */
const likelyBytes = fc
  .array(fc.constantFrom(0, 0, 0, 1, 2, 4, 8, 0x41, 0x53, 0x50, 0xff), { maxLength: 60 })
  .map((bytes) => Buffer.from(bytes))
const body = fc.oneof(anyBytes, likelyBytes)
const letters = 'QPBEDCSHXFdcfp123ntTIsZENARKvGHWV'
const type = fc.oneof(fc.nat(255), fc.constantFrom(...Buffer.from(letters)))

/** What holds for any input, by what it says. */
export function postgresProperties(codec: PostgresCodec): Readonly<Record<string, fc.IRawProperty<unknown>>> {
  const { WireError } = codec.errors
  /** Random bytes give a message or a WireError, nothing else. */
  const orWireError = (decode: () => unknown): boolean => {
    try {
      decode()
      return true
    } catch (error) {
      return error instanceof WireError
    }
  }
  return {
    'random bytes of a client give a message or a WireError': fc.property(type, body, (type, body) =>
      orWireError(() => codec.decode.decodeFrontend(type, body)),
    ),
    'random bytes of a server give a message or a WireError': fc.property(type, body, (type, body) =>
      orWireError(() => codec.decode.decodeBackend(type, body)),
    ),
    'random bytes of a sign-in give a message or a WireError': fc.property(
      body,
      fc.string(),
      (body, text) =>
        orWireError(() => codec.decode.decodeInitial(body)) &&
        orWireError(() => codec.decode.decodePassword(body)) &&
        orWireError(() => codec.decode.decodeSaslInitial(body)) &&
        orWireError(() => codec.startupOptions.parseOptions(text)),
    ),
    'random SASL bytes give an answer or a WireError': saslProperty(codec, orWireError),
    'a stream is framed as a plain reading of it says, however it is cut': fc.property(stream, cuts, (stream, cuts) =>
      framesAsRead(codec, stream, cuts),
    ),
    'random bytes are framed or refused': fc.property(fc.array(body), fc.boolean(), (chunks, isServer) => {
      const { Framer, backendSizes, frontendSizes } = codec.framer
      const framer = new Framer(isServer ? backendSizes : frontendSizes, collector([]))
      return orWireError(() => {
        for (const chunk of chunks) framer.scan(chunk)
      })
    }),
    'no more of a body is kept than was asked for': fc.property(stream, cuts, fc.nat(20), (stream, cuts, want) =>
      keepsWithin(codec, stream, cuts, want),
    ),
  }
}

function saslProperty({ scram }: PostgresCodec, orWireError: (decode: () => unknown) => boolean) {
  const verifier = scram.deriveScramKeys('pencil', Buffer.alloc(16), 1)
  const sasl = fc.oneof(
    body,
    fc.stringMatching(/^[nyp=,rcabi]{0,40}$/).map((text) => Buffer.from(text)),
  )
  const mechanism = fc.constantFrom('SCRAM-SHA-256', 'SCRAM-SHA-256-PLUS', 'X')
  return fc.property(mechanism, sasl, sasl, (mechanism, first, final) => {
    const ask = { mechanism: 'SCRAM-SHA-256', data: Buffer.from('n,,n=,r=a') }
    const good = scram.startScram(ask, undefined, verifier, 's')
    return (
      orWireError(() => scram.startScram({ mechanism, data: first }, Buffer.alloc(32), verifier, 's')) &&
      orWireError(() => scram.finishScram(good, final))
    )
  })
}

interface Piece {
  readonly type: number
  /** What the header says, which need not be true. */
  readonly declared: number
  readonly body: Buffer
}

/** Mostly messages whose header is true; some declare too little, too much, or more than their type may have. */
const piece: fc.Arbitrary<Piece> = fc
  .record({
    type: fc.oneof(
      { weight: 9, arbitrary: fc.constantFrom(...Buffer.from('QPBEDCSHXFdcf')) },
      { weight: 1, arbitrary: type },
    ),
    lie: fc.oneof(
      { weight: 9, arbitrary: fc.constant(undefined) },
      { weight: 1, arbitrary: fc.constantFrom(0, 1, 3, 4, 10_004, 10_005, 0x3fff_ffff, 0x4000_0000, 0xffff_ffff) },
    ),
    body: fc.uint8Array({ maxLength: 40 }),
  })
  .map(({ type, lie, body }) => ({ type, declared: lie ?? body.length + 4, body: Buffer.from(body) }))

const stream = fc.array(piece, { maxLength: 8 }).map((pieces) => Buffer.concat(pieces.map(encode)))
const cuts = fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 20 })

function encode({ type, declared, body }: Piece): Buffer {
  const head = Buffer.alloc(5)
  head[0] = type
  head.writeUInt32BE(declared, 1)
  return Buffer.concat([head, body])
}

interface Seen {
  readonly messages: string[]
  readonly isRefused: boolean
  /** The bytes ended between messages. */
  readonly isWhole: boolean
}

function collector(messages: string[]): Framing.FrameSink {
  return {
    begin: (_type, length) => length,
    part: () => {},
    message: (type, bytes, start, end) => {
      messages.push(`${type} ${bytes.toString('hex', start, end)}`)
      return true
    },
  }
}

/** Cut into chunks and framed. @throws Error when the framer neither goes on nor refuses, so that a fault can't hang the run */
function frame(codec: PostgresCodec, bytes: Buffer, cuts: readonly number[], sink: Partial<Framing.FrameSink>): Seen {
  const seen: Seen = { messages: [], isRefused: false, isWhole: false }
  const framer = new codec.framer.Framer(codec.framer.frontendSizes, { ...collector(seen.messages), ...sink })
  let at = 0
  for (let i = 0; at < bytes.length; i += 1) {
    const chunk = bytes.subarray(at, at + (cuts[i % cuts.length] ?? 1))
    try {
      const taken = framer.scan(chunk)
      if (taken !== chunk.length) throw new Error(`${taken} of ${chunk.length} bytes were taken`)
    } catch (error) {
      if (!(error instanceof codec.errors.WireError)) throw error
      return { ...seen, isRefused: true }
    }
    at += chunk.length
  }
  return { ...seen, isWhole: framer.atBoundary }
}

function framesAsRead(codec: PostgresCodec, bytes: Buffer, cuts: readonly number[]): boolean {
  return JSON.stringify(frame(codec, bytes, cuts, {})) === JSON.stringify(readPlainly(bytes))
}

/** The protocol's framing, said a second time: with all bytes at hand, and limits written out (PostgreSQL 14's own). */
function readPlainly(bytes: Buffer): Seen {
  const seen: Seen = { messages: [], isRefused: false, isWhole: false }
  const mostOf = (type: number): number => {
    const letter = String.fromCharCode(type)
    if ('QPBFd'.includes(letter)) return 0x3fff_ffff - 4
    return 'EDCSHXcf'.includes(letter) ? 10_000 : -1
  }
  for (let at = 0; at < bytes.length; ) {
    const type = bytes[at] ?? 0
    const isKnown = mostOf(type) >= 0
    const isHeaded = bytes.length - at >= 5
    const length = isHeaded ? bytes.readUInt32BE(at + 1) - 4 : 0
    if (!isKnown || length < 0 || length > mostOf(type)) return { ...seen, isRefused: true }
    const to = at + 5 + length
    if (!isHeaded || to > bytes.length) return seen
    seen.messages.push(`${type} ${bytes.toString('hex', at + 5, to)}`)
    at = to
  }
  return { ...seen, isWhole: true }
}

/** With a sink that wants the beginning only, whatever was declared: a long message costs what was wanted, not its length. */
function keepsWithin(codec: PostgresCodec, bytes: Buffer, cuts: readonly number[], want: number): boolean {
  let isWithin = true
  let isCollected = false
  frame(codec, bytes, cuts, {
    begin: (_type, length) => {
      isCollected = true
      return Math.min(length, want)
    },
    message: (_type, _bytes, start, end, length) => {
      if (isCollected && end - start !== Math.min(length, want)) isWithin = false
      isCollected = false
      return true
    },
  })
  return isWithin
}
