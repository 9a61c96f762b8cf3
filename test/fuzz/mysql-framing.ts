import type * as CommandFraming from '../../proxy/wire/mysql/command-framer.ts'
import type * as Framing from '../../proxy/wire/mysql/framer.ts'
import type * as WireErrors from '../../proxy/wire/wire-error.ts'
import fc from '../fast-check.ts'

interface FramingCodec {
  readonly commandFramer: typeof CommandFraming
  readonly framer: typeof Framing
  readonly errors: typeof WireErrors
}

const full = 0xff_ffff
/** The body of every long piece: nothing of it is copied. */
const body = Buffer.alloc(full, 0x61)

/** One payload, with what may be wrong with it. */
interface Spec {
  readonly first: number
  readonly length: number
  /** Added to the id of its last piece. */
  readonly skew: number
}

const rarely = <T>(usual: fc.Arbitrary<T>, rare: fc.Arbitrary<T>) =>
  fc.oneof({ weight: 19, arbitrary: usual }, { weight: 1, arbitrary: rare })
const short = fc.nat(40).map((length) => length + 1)
const long = fc.constantFrom(full - 1, full, full + 1, full + 40, 2 * full, 2 * full + 1)
const spec: fc.Arbitrary<Spec> = fc.record({
  first: fc.oneof(fc.nat(255), fc.constantFrom(0, 3, 0xfe, 0xff)),
  length: fc.oneof(
    { weight: 30, arbitrary: short },
    { weight: 4, arbitrary: long },
    { weight: 1, arbitrary: fc.constant(0) },
  ),
  skew: rarely(fc.constant(0), fc.constantFrom(1, 255)),
})
const specs = fc.array(spec, { maxLength: 8 })
const cuts = fc.array(fc.integer({ min: 1, max: 30 }), { minLength: 1, maxLength: 20 })

interface Piece {
  readonly length: number
  readonly sequence: number
}

/** @param start id of its first piece */
function piecesOf({ length, skew }: Spec, start: number): Piece[] {
  const lengths: number[] = []
  for (let left = length; ; left -= full) {
    lengths.push(Math.min(left, full))
    if (left < full) break
  }
  return lengths.map((length, i) => ({
    length,
    sequence: (start + i + (i === lengths.length - 1 ? skew : 0)) & 0xff,
  }))
}

/** The bytes of a payload, short ones joined; the last chunk of a stream may be cut off. */
function encode(spec: Spec, pieces: readonly Piece[]): Buffer[] {
  return pieces.flatMap(({ length, sequence }, i) => {
    const head = Buffer.from([length & 0xff, (length >> 8) & 0xff, length >> 16, sequence])
    if (length === 0) return [head]
    const start = i === 0 ? Buffer.from([spec.first]) : body.subarray(0, 1)
    return [
      Buffer.concat([head, start, body.subarray(0, Math.min(length - 1, 50))]),
      body.subarray(0, Math.max(0, length - 51)),
    ]
  })
}

/** Cuts what is short at any place, and what is long into few parts. */
function chunksOf(segments: readonly Buffer[], cuts: readonly number[]): Buffer[] {
  const chunks: Buffer[] = []
  let run: Buffer[] = []
  let turn = 0
  const flush = () => {
    const bytes = Buffer.concat(run)
    run = []
    for (let at = 0; at < bytes.length; turn += 1) {
      const to = at + (cuts[turn % cuts.length] ?? 1)
      chunks.push(bytes.subarray(at, to))
      at = to
    }
  }
  for (const segment of segments) {
    if (segment.length < 1000) run.push(segment)
    else {
      flush()
      const at = Math.floor((segment.length * (cuts[turn % cuts.length] ?? 1)) / 31)
      chunks.push(segment.subarray(0, at), segment.subarray(at))
    }
  }
  flush()
  return chunks
}

interface Seen {
  readonly messages: string[]
  readonly isRefused: boolean
  readonly passed: number
}

export function framingProperties(codec: FramingCodec): Readonly<Record<string, fc.IRawProperty<unknown>>> {
  const same = (a: Seen, b: Seen) => JSON.stringify(a) === JSON.stringify(b)
  return {
    'the payloads of a server are those that were sent, however they are cut': fc.property(
      specs,
      cuts,
      fc.nat(255),
      fc.nat(30),
      (specs, cuts, start, want) => same(frame(codec, specs, cuts, start, want), readPlainly(specs, want)),
    ),
    'the commands of a client are those that were sent, and those that are kept back never go on': fc.property(
      specs,
      cuts,
      fc.integer({ min: 1, max: 30 }),
      (specs, cuts, kept) => same(frameCommands(codec, specs, cuts, kept), readCommandsPlainly(specs, kept)),
    ),
    'random bytes are framed or refused': fc.property(
      fc.array(fc.uint8Array({ maxLength: 60 }), { maxLength: 8 }),
      fc.boolean(),
      (chunks, isData) =>
        isFramedOrRefused(
          codec,
          chunks.map((chunk) => Buffer.from(chunk)),
          isData,
        ),
    ),
  }
}

/** @param start id of the first packet */
function frame(
  codec: FramingCodec,
  specs: readonly Spec[],
  cuts: readonly number[],
  start: number,
  want: number,
): Seen {
  const seen: Seen = { messages: [], isRefused: false, passed: 0 }
  let first = 0
  const framer = new codec.framer.Framer({
    whole: (bytes, start, end) => {
      const length = Math.min(end - start, want)
      seen.messages.push(
        messageOf(bytes[start] as number, bytes.subarray(start, start + length), length === end - start),
      )
      return true
    },
    begin: (byte, length) => {
      first = byte
      return Math.min(length, want)
    },
    end: (collected, isWhole) => void seen.messages.push(messageOf(first, collected, isWhole)),
  })
  framer.next = start
  let passed = 0
  for (const chunk of chunksOf(encodeAll(specs, start), cuts)) {
    try {
      const taken = framer.scan(chunk)
      if (taken !== chunk.length) throw new Error(`${taken} of ${chunk.length} bytes were taken`)
      passed += taken
    } catch (error) {
      if (!(error instanceof codec.errors.WireError)) throw error
      return { ...seen, isRefused: true }
    }
  }
  return { ...seen, passed }
}

function messageOf(first: number, collected: Buffer, isWhole: boolean): string {
  return `${first} ${collected.toString('hex')} ${isWhole}`
}

/** Numbered on from one payload to the next, as after a command. */
function encodeAll(specs: readonly Spec[], start: number): Buffer[] {
  let next = start
  return specs.flatMap((spec) => {
    const pieces = piecesOf(spec, next)
    next = ((pieces.at(-1)?.sequence ?? 0) + 1) & 0xff
    return encode(spec, pieces)
  })
}

/** The same, said a second time. */
function readPlainly(specs: readonly Spec[], want: number): Seen {
  const seen: Seen = { messages: [], isRefused: false, passed: 0 }
  let passed = 0
  for (const { first, length, skew } of specs) {
    const count = Math.floor(length / full) + 1
    // An error may come with any id, if it is in one piece.
    if (length === 0 || (skew !== 0 && !(count === 1 && first === 0xff))) return { ...seen, isRefused: true }
    const kept = Math.min(length, full, want)
    const collected = Buffer.concat([Buffer.from([first]), body.subarray(0, 60)]).subarray(0, kept)
    seen.messages.push(messageOf(first, collected, kept === length))
    passed += length + 4 * count
  }
  return { ...seen, passed }
}

/** Commands that begin with an odd byte are kept back. */
const isLet = (bytes: Buffer, at: number) => ((bytes[at] as number) & 1) === 0

function frameCommands(codec: FramingCodec, specs: readonly Spec[], cuts: readonly number[], kept: number): Seen {
  const messages: string[] = []
  let passed = 0
  let parts = 0
  const framer = new codec.commandFramer.CommandFramer(
    {
      isData: false,
      command: (bytes, start, end) => {
        messages.push(`${bytes[start]} ${end - start}`)
        return isLet(bytes, start)
      },
      begin: (bytes, start, end) => {
        messages.push(`${bytes[start]} begins with ${end - start}`)
        parts = 0
        return isLet(bytes, start)
      },
      part: (_bytes, start, end) => {
        parts += end - start
      },
      end: (length, sequence) => void messages.push(`of ${length}, ${parts} passed, then ${sequence}`),
      endData: () => void messages.push('data'),
    },
    kept,
  )
  const drive = (chunk: Buffer): void => {
    if (chunk.length === 0) return
    if (framer.scan(chunk) === chunk.length) {
      passed += chunk.length
      return
    }
    const { passing, rest } = framer.passing
    passed += passing.length
    if (rest) drive(rest)
  }
  const segments = specs.flatMap((spec) => encode(spec, piecesOf(spec, 0)))
  for (const chunk of chunksOf(segments, cuts)) {
    try {
      drive(chunk)
    } catch (error) {
      if (!(error instanceof codec.errors.WireError)) throw error
      return { messages, isRefused: true, passed: 0 }
    }
  }
  return { messages, isRefused: false, passed }
}

function readCommandsPlainly(specs: readonly Spec[], kept: number): Seen {
  const messages: string[] = []
  let passed = 0
  for (const { first, length, skew } of specs) {
    const count = Math.floor(length / full) + 1
    const goesOn = (first & 1) === 0
    if (length === 0 || (skew !== 0 && count === 1)) return { messages, isRefused: true, passed: 0 }
    if (length <= kept) messages.push(`${first} ${length}`)
    else {
      messages.push(`${first} begins with ${kept}`)
      if (skew !== 0) return { messages, isRefused: true, passed: 0 }
      messages.push(`of ${length}, ${goesOn ? length : 0} passed, then ${count & 0xff}`)
    }
    if (goesOn) passed += length + 4 * count
  }
  return { messages, isRefused: false, passed }
}

function isFramedOrRefused(codec: FramingCodec, chunks: readonly Buffer[], isData: boolean): boolean {
  const payloads = { whole: () => true, begin: (_first: number, length: number) => length, end: () => {} }
  const server = new codec.framer.Framer(payloads)
  const commands = { command: () => true, begin: () => true, part: () => {}, end: () => {}, endData: () => {} }
  const client = new codec.commandFramer.CommandFramer({ isData, ...commands }, 20)
  for (const framer of [server, client])
    try {
      for (const chunk of chunks) framer.scan(chunk)
    } catch (error) {
      if (!(error instanceof codec.errors.WireError)) return false
    }
  return true
}
