import type * as Acknowledgement from '../../proxy/wire/ssm/acknowledgement.ts'
import type * as AgentVersion from '../../proxy/wire/ssm/agent-version.ts'
import type * as Handshake from '../../proxy/wire/ssm/handshake.ts'
import type * as Message from '../../proxy/wire/ssm/message.ts'
import type * as Payloads from '../../proxy/wire/ssm/payloads.ts'
import type * as SessionCipher from '../../proxy/wire/ssm/session-cipher.ts'
import type * as Smux from '../../proxy/wire/ssm/smux.ts'
import type * as WireErrors from '../../proxy/wire/wire-error.ts'
import fc from '../fast-check.ts'
import { loadCodec } from './load-codec.ts'

/** The codec of `proxy/wire/ssm`, or a copy of it with a fault. */
export interface SsmCodec {
  readonly acknowledgement: typeof Acknowledgement
  readonly agentVersion: typeof AgentVersion
  readonly handshake: typeof Handshake
  readonly message: typeof Message
  readonly payloads: typeof Payloads
  readonly cipher: typeof SessionCipher
  readonly smux: typeof Smux
  readonly errors: typeof WireErrors
}

/** @param folder URL that ends in a slash */
export function loadSsmCodec(folder: string): Promise<SsmCodec> {
  return loadCodec<SsmCodec>(folder, {
    acknowledgement: 'acknowledgement',
    agentVersion: 'agent-version',
    handshake: 'handshake',
    message: 'message',
    payloads: 'payloads',
    cipher: 'session-cipher',
    smux: 'smux',
    errors: '../wire-error',
  })
}

const anyBytes = fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes))
/** JSON that has the members which the decoders look for, with values of any type. */
const names = ['ActionType', 'ActionParameters', 'AgentVersion', 'RequestedClientActions', 'SessionType', 'KMSKeyId']
const others = ['Challenge', 'Properties', 'AcknowledgedMessageSequenceNumber', 'CustomerMessage', 'Output']
const likelyJson = fc
  .letrec<{ value: unknown }>((tie) => ({
    value: fc.oneof(
      { maxDepth: 4 },
      fc.constantFrom('SessionType', 'KMSEncryption', 'Port', '', null, 0, -1, 2 ** 53, 1.5, true),
      fc.array(tie('value'), { maxLength: 3 }),
      fc.dictionary(fc.constantFrom(...names, ...others), tie('value'), { maxKeys: 5 }),
    ),
  }))
  .value.map((value) => Buffer.from(JSON.stringify(value)))
const payload = fc.oneof(anyBytes, likelyJson)
const long = fc.constantFrom(65_536, 65_537, 100_000).map((length) => Buffer.from('{}'.padEnd(length)))
const natural = fc.oneof(fc.nat(), fc.maxSafeNat())
/** smux that is mostly right: a few streams, all commands, some of them wrong. */
const smuxFrames = fc
  .array(
    fc.tuple(
      fc.constantFrom(1, 1, 1, 1, 1, 1, 1, 1, 2),
      fc.constantFrom(0, 1, 2, 2, 2, 3, 4),
      fc.constantFrom(3, 5),
      fc.uint8Array({ maxLength: 40 }),
    ),
    { maxLength: 6 },
  )
  .map((frames) =>
    Buffer.concat(
      frames.flatMap(([version, command, id, data]) => {
        const bytes = command === 2 ? data : new Uint8Array(0)
        return [Buffer.from([version, command, bytes.length, 0, id, 0, 0, 0]), bytes]
      }),
    ),
  )

/** What holds for any input, by what it says. */
export function ssmProperties(codec: SsmCodec): Readonly<Record<string, fc.IRawProperty<unknown>>> {
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
  const refuses = (decode: () => unknown): boolean => {
    try {
      decode()
      return false
    } catch (error) {
      return error instanceof WireError
    }
  }
  const { acknowledgement, agentVersion, cipher, handshake, message, payloads } = codec
  const decoders = [
    acknowledgement.decodeAcknowledgement,
    handshake.decodeChallenge,
    handshake.decodeHandshakeComplete,
    handshake.decodeHandshakeRequest,
    payloads.decodeChannelClosed,
    payloads.decodeExitCode,
    payloads.decodeFlag,
  ]
  const read = (bytes: Buffer) => {
    const reader = new message.MessageReader()
    reader.read(bytes)
    return reader
  }
  const sent = fc.record({
    type: fc.constantFrom('output_stream_data', 'input_stream_data', 'acknowledge', 'channel_closed', 'x'),
    createdAt: natural.map((at) => at + 1).filter(Number.isSafeInteger),
    sequence: natural,
    flags: fc.nat(3),
    id: fc.uuid(),
    payloadType: fc.nat(12),
    payload: fc.uint8Array({ minLength: 1, maxLength: 100 }).map((bytes) => Buffer.from(bytes)),
  })
  return {
    'random bytes give a message or a WireError': fc.property(
      fc.oneof(fc.uint8Array({ maxLength: 400 }), headed()),
      (bytes) => orWireError(() => read(Buffer.from(bytes))),
    ),
    'a message is what was sent': fc.property(sent, (sent) => {
      const { type, createdAt, sequence, flags, id, payloadType, payload } = read(message.encodeMessage(sent))
      return JSON.stringify({ type, createdAt, sequence, flags, id, payloadType, payload }) === JSON.stringify(sent)
    }),
    'a message with one wrong bit in its digest or payload is refused': fc.property(sent, natural, (sent, at) => {
      const bytes = message.encodeMessage(sent)
      const covered = [...Array(32).keys()].map((i) => 80 + i).concat([...sent.payload.keys()].map((i) => 120 + i))
      const where = covered[at % covered.length] ?? 80
      bytes[where] = (bytes[where] ?? 0) ^ (1 << (at & 7))
      return refuses(() => read(bytes))
    }),
    'a header of another length is refused': fc.property(sent, fc.nat(300), (sent, length) => {
      const bytes = message.encodeMessage(sent)
      bytes.writeUInt32BE(length, 0)
      return length === 116 ? read(bytes).payload.equals(sent.payload) : refuses(() => read(bytes))
    }),
    'a message cut anywhere gives a message or a WireError, and never a longer payload': fc.property(
      sent,
      natural,
      (sent, at) => {
        const bytes = message.encodeMessage(sent)
        const cut = bytes.subarray(0, at % bytes.length)
        return refuses(() => read(cut))
      },
    ),
    'random payloads give what they say or a WireError': fc.property(
      payload,
      (payload) =>
        decoders.every((decode) => orWireError(() => decode(payload))) &&
        orWireError(() => new cipher.SessionCipher(Buffer.alloc(64)).decrypt(payload)),
    ),
    'JSON longer than 64 KiB is refused unread': fc.property(long, (payload) => {
      const decode = () => payloads.decodeChannelClosed(payload)
      return payload.length > 65_536 ? refuses(decode) : orWireError(decode)
    }),
    'any version gives an answer': fc.property(fc.string(), (version) => {
      const features = agentVersion.featuresOf(version)
      return Object.values(features).every((has) => typeof has === 'boolean')
    }),
    'smux is read as a plain reading of it says, however it is split': fc.property(
      fc.oneof(anyBytes, smuxFrames),
      fc.array(fc.nat(30), { maxLength: 20 }),
      (bytes, sizes) => isSmuxAsRead(codec, bytes, sizes),
    ),
  }
}

/** Looks like a message up to its header length. */
function headed(): fc.Arbitrary<Uint8Array> {
  return fc
    .tuple(fc.constantFrom(0, 115, 116, 117, 120, 0xffff_fff0), fc.uint8Array({ minLength: 100, maxLength: 160 }))
    .map(([length, rest]) => {
      const bytes = Buffer.alloc(4 + rest.length)
      bytes.writeUInt32BE(length, 0)
      bytes.set(rest, 4)
      return bytes
    })
}

/** Frames, said a second time, with all bytes at hand; data byte by byte. */
function isSmuxAsRead({ smux, errors }: SsmCodec, bytes: Buffer, sizes: readonly number[]): boolean {
  const seen: string[] = []
  const framer = new smux.SmuxFramer({
    open: (id) => void seen.push(`open ${id}`),
    finish: (id) => void seen.push(`finish ${id}`),
    data: (id, part) => void seen.push(...Array.from(part, (byte) => `${byte} ${id}`)),
  })
  let at = 0
  try {
    for (const size of [...sizes, bytes.length]) {
      framer.scan(bytes.subarray(at, at + size))
      at = Math.min(bytes.length, at + size)
      // What is here has been passed on: nothing is gathered.
      const { frames } = readSmux(bytes.subarray(0, at))
      if (JSON.stringify(seen) !== JSON.stringify(frames)) return false
    }
    return !readSmux(bytes).isWrong
  } catch (error) {
    const { frames, isWrong } = readSmux(bytes)
    return error instanceof errors.WireError && isWrong && JSON.stringify(seen) === JSON.stringify(frames)
  }
}

function readSmux(bytes: Buffer): { frames: string[]; isWrong: boolean } {
  const frames: string[] = []
  let rest = bytes
  while (rest.length >= 8) {
    const [version, command] = rest
    const [length, id] = [rest.readUInt16LE(2), rest.readUInt32LE(4)]
    if (version !== 1 || (command ?? 0) > 3 || (command !== 2 && length > 0)) return { frames, isWrong: true }
    if (command === 0) frames.push(`open ${id}`)
    if (command === 1) frames.push(`finish ${id}`)
    if (command === 2) frames.push(...Array.from(rest.subarray(8, 8 + length), (byte) => `${byte} ${id}`))
    rest = rest.subarray(8 + length)
  }
  return { frames, isWrong: false }
}
