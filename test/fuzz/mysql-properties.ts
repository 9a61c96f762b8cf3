import type * as Auth from '../../proxy/wire/mysql/auth.ts'
import type * as CommandFraming from '../../proxy/wire/mysql/command-framer.ts'
import type * as Decode from '../../proxy/wire/mysql/decode.ts'
import type * as Framing from '../../proxy/wire/mysql/framer.ts'
import type * as Handshake from '../../proxy/wire/mysql/handshake.ts'
import type * as Replies from '../../proxy/wire/mysql/replies.ts'
import type * as Values from '../../proxy/wire/mysql/values.ts'
import type * as WireErrors from '../../proxy/wire/wire-error.ts'
import fc from '../fast-check.ts'
import { loadCodec } from './load-codec.ts'
import { framingProperties } from './mysql-framing.ts'

/** The codec of `proxy/wire/mysql`, or a copy of it with a fault. */
export interface MysqlCodec {
  readonly auth: typeof Auth
  readonly commandFramer: typeof CommandFraming
  readonly decode: typeof Decode
  readonly framer: typeof Framing
  readonly handshake: typeof Handshake
  readonly replies: typeof Replies
  readonly values: typeof Values
  readonly errors: typeof WireErrors
}

/** @param folder URL that ends in a slash */
export function loadMysqlCodec(folder: string): Promise<MysqlCodec> {
  return loadCodec<MysqlCodec>(folder, {
    auth: 'auth',
    commandFramer: 'command-framer',
    decode: 'decode',
    framer: 'framer',
    handshake: 'handshake',
    replies: 'replies',
    values: 'values',
    errors: '../wire-error',
  })
}

const anyBytes = fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes))
/** Bytes that look like a payload more often: few values, among them those that begin lengths. */
const likelyBytes = fc
  .array(fc.constantFrom(0, 0, 0, 1, 2, 4, 7, 8, 11, 0x23, 0x41, 0xfb, 0xfc, 0xfd, 0xfe, 0xff), { maxLength: 80 })
  .map((bytes) => Buffer.from(bytes))
/** A greeting or a login up to somewhere, then other bytes. */
const opened = fc
  .tuple(
    fc.constantFrom(
      '0a382e302e333600' +
        '01000000' +
        '0102030405060708' +
        '00' +
        'fff7' +
        '2d' +
        '0200' +
        'ffdf' +
        '15' +
        '00'.repeat(10),
      `0fa2bf01000000012d${'00'.repeat(23)}61700014`,
    ),
    fc.nat(80),
    fc.oneof(anyBytes, likelyBytes),
  )
  .map(([hex, length, rest]) => Buffer.concat([Buffer.from(hex, 'hex').subarray(0, length), rest]))
const payload = fc.oneof(anyBytes, likelyBytes, opened)

/** What holds for any input, by what it says. */
export function mysqlProperties(codec: MysqlCodec): Readonly<Record<string, fc.IRawProperty<unknown>>> {
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
  const { auth, decode, handshake, replies, values } = codec
  return {
    'random bytes of a client that signs in give a message or a WireError': fc.property(
      payload,
      payload,
      (payload, scramble) =>
        orWireError(() => handshake.decodeLogin(payload)) &&
        orWireError(() => auth.decodeClearPassword(payload)) &&
        !auth.provesPassword(payload, scramble, Buffer.alloc(32)),
    ),
    'random bytes of a server that lets us in give a message or a WireError': fc.property(
      payload,
      (payload) =>
        orWireError(() => handshake.decodeGreeting(payload)) &&
        orWireError(() => replies.decodeLoginReply(payload)) &&
        orWireError(() => replies.decodeError(payload)),
    ),
    'random bytes of an answer give a message or a WireError': fc.property(
      payload,
      fc.boolean(),
      (payload, isTracking) =>
        orWireError(() => decode.decodeOk(payload, isTracking)) &&
        orWireError(() => decode.decodeEof(payload)) &&
        orWireError(() => decode.decodePrepared(payload)),
    ),
    'a row is read as a plain reading of it says': fc.property(payload, fc.nat(6), (payload, columns) =>
      isRowAsRead(codec, payload, columns),
    ),
    'random parameters give values, as many as there are, or a WireError': fc.property(
      payload,
      fc.nat(20),
      fc.uint8Array({ minLength: 0, maxLength: 40 }),
      fc.nat(),
      (payload, count, types, sent) =>
        orWireError(() => values.decodeExecution(payload)) &&
        orWireError(() => values.decodeTypes(payload, count)) &&
        orWireError(() => {
          const isSent = (index: number) => ((sent >>> (index & 31)) & 1) === 1
          const all = values.decodeValues(payload, count, Buffer.from(types), isSent)
          if (all.length !== count) throw new Error('values are missing')
          const first = values.decodeFirstValues(payload, count, Buffer.from(types), isSent)
          if (first.length !== count) throw new Error('values that are there were not read')
        }),
    ),
    'a login is what was sent': loginProperty(codec),
    ...framingProperties(codec),
  }
}

function loginProperty({ handshake }: MysqlCodec): fc.IRawProperty<unknown> {
  const text = fc.string({ maxLength: 40 }).filter((text) => !text.includes('\0'))
  const flags = fc.constantFrom(0x8_8200, 0x28_8208, 0x18_8208, 0x38_8208)
  return fc.property(
    flags,
    text,
    text,
    text,
    fc.array(fc.tuple(text, text), { maxLength: 3 }),
    anyBytes,
    (...parts) => {
      const [capabilities, user, database, plugin, attributes, answer] = parts
      const login = { capabilities, maxPacketBytes: 1, charset: 45, user, database, plugin, attributes, answer }
      const read = handshake.decodeLogin(handshake.encodeLogin(login))
      if (read.kind !== 'login') return false
      const hasDatabase = (capabilities & 0x8) !== 0 && database !== ''
      const hasAttributes = (capabilities & 0x10_0000) !== 0
      return (
        read.user === user &&
        read.plugin === plugin &&
        read.answer.equals(answer) &&
        read.database === (hasDatabase ? database : undefined) &&
        JSON.stringify(read.attributes) === JSON.stringify(hasAttributes ? attributes : [])
      )
    },
  )
}

/** Length-encoded values, said a second time, with all bytes at hand. */
function isRowAsRead({ replies, errors }: MysqlCodec, payload: Buffer, columns: number): boolean {
  const expected = readRow(payload, columns)
  try {
    return JSON.stringify(replies.decodeTextRow(payload, columns)) === JSON.stringify(expected)
  } catch (error) {
    return error instanceof errors.WireError && expected === undefined
  }
}

function readRow(payload: Buffer, columns: number): (string | null)[] | undefined {
  const values: (string | null)[] = []
  let rest = payload
  for (let i = 0; i < columns; i += 1) {
    const first = rest[0]
    if (first === undefined || first === 0xff) return undefined
    const size = first === 0xfc ? 2 : first === 0xfd ? 3 : first === 0xfe ? 8 : 0
    const digits = [...rest.subarray(1, 1 + size)]
    if (digits.length < size) return undefined
    const length = size === 0 ? BigInt(first) : digits.reduceRight((sum, digit) => sum * 256n + BigInt(digit), 0n)
    if (first === 0xfb) {
      values.push(null)
      rest = rest.subarray(1)
      continue
    }
    if (length > BigInt(rest.length - 1 - size)) return undefined
    values.push(rest.toString('utf8', 1 + size, 1 + size + Number(length)))
    rest = rest.subarray(1 + size + Number(length))
  }
  return rest.length > 0 ? undefined : values
}
