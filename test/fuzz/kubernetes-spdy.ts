import { constants, deflateRawSync, inflateSync } from 'node:zlib'
import { headerDictionary } from '../../proxy/wire/spdy/dictionary.ts'
import fc from '../fast-check.ts'

/** A header block before it is compressed, and what is wrong with it. */
const pairs = fc.record({
  headers: fc.array(
    fc.tuple(
      fc.constantFrom('port', 'streamtype', 'requestid', 'x'),
      fc.constantFrom('80', 'data', '', 'y'.repeat(300)),
    ),
    {
      maxLength: 4,
    },
  ),
  /** To what it says of its count and length. */
  more: fc.constantFrom(0, 0, 0, 0, 0, 0, 0, 1, -1),
  behind: fc.constantFrom('', '', '', '', '', '', '', 'x', 'longer'),
  end: fc.constantFrom('flushed', 'flushed', 'flushed', 'flushed', 'flushed', 'final', 'cut'),
})

const frame = fc.oneof(
  fc.record({
    type: fc.constant(0),
    id: fc.nat(4),
    flags: fc.constantFrom(0, 0, 0, 1, 2),
    body: fc.uint8Array({ maxLength: 30 }),
  }),
  fc.record({
    type: fc.constantFrom(1, 1, 1, 2, 8),
    id: fc.nat(4),
    flags: fc.constantFrom(0, 1),
    pairs,
    version: fc.constantFrom(3, 3, 3, 3, 3, 3, 3, 2),
  }),
  fc.record({
    type: fc.constantFrom(3, 4, 6, 7, 9, 3, 6, 5, 16),
    id: fc.nat(4),
    flags: fc.constant(0),
    body: fc.constantFrom(0, 4, 8, 8, 4, 12).map((length) => new Uint8Array(length)),
  }),
)

/** Frames of one direction, mostly right. */
export const likelySpdy = fc.oneof(
  { weight: 9, arbitrary: fc.array(frame, { maxLength: 6 }).map(encodeAll) },
  {
    weight: 1,
    arbitrary: fc
      .constantFrom('8003000100010001', '80030001ffffffff', '0000000100ffffff')
      .map((hex) => Buffer.from(hex, 'hex')),
  },
)

type Frame = typeof frame extends fc.Arbitrary<infer T> ? T : never
type Pairs = typeof pairs extends fc.Arbitrary<infer T> ? T : never

function encodeAll(frames: readonly Frame[]): Buffer {
  let isFirst = true
  return Buffer.concat(
    frames.map((one) => {
      if (one.type === 0 && 'body' in one)
        return Buffer.concat([number(one.id), number(one.flags, 1), number(one.body.length, 3), one.body])
      const version = 'version' in one ? one.version : 3
      const payload =
        'pairs' in one
          ? withBlock(one.id, one.type, encodeBlock(one.pairs, isFirst))
          : settingsOrSo(one.type, one.id, one.body)
      if ('pairs' in one) isFirst = false
      const first = number((((0x8000 | version) << 16) >>> 0) + one.type)
      return Buffer.concat([first, number(one.flags, 1), number(payload.length, 3), payload])
    }),
  )
}

function withBlock(id: number, type: number, block: Buffer): Buffer {
  return Buffer.concat([number(id), Buffer.alloc(type === 1 ? 6 : 0), block])
}

function settingsOrSo(type: number, id: number, body: Uint8Array): Uint8Array {
  const bytes = Buffer.from(body)
  if (bytes.length >= 4) bytes.writeUInt32BE(type === 4 ? (bytes.length - 4) >> 3 : id, 0)
  return bytes
}

function encodeBlock({ headers, more, behind, end }: Pairs, isFirst: boolean): Buffer {
  const texts = headers.flat().flatMap((text) => [number(text.length), Buffer.from(text)])
  const plain = Buffer.concat([number(Math.max(0, headers.length + more)), ...texts, Buffer.from(behind)])
  const finishFlush = end === 'final' ? constants.Z_FINISH : constants.Z_SYNC_FLUSH
  const raw = deflateRawSync(plain, { finishFlush, ...(isFirst ? { dictionary: headerDictionary } : {}) })
  const whole = isFirst ? Buffer.concat([Buffer.from('78f9e3c6a7c2', 'hex'), raw]) : raw
  return end === 'cut' ? whole.subarray(0, -1) : whole
}

function number(value: number, bytes = 4): Buffer {
  const buffer = Buffer.alloc(bytes)
  buffer.writeUIntBE(value, 0, bytes)
  return buffer
}

/** The draft said a second time, with all bytes at hand: all blocks so far are inflated as one stream. */
export function readSpdy(bytes: Buffer): { found: string[]; isWrong: boolean } {
  const found: string[] = []
  const wrong = { found, isWrong: true }
  let [rest, blocks, inflatedBytes] = [bytes, Buffer.alloc(0), 0]
  while (rest.length >= 8) {
    const [first, flags, length] = [rest.readUInt32BE(0), rest[4] ?? 0, rest.readUIntBE(5, 3)]
    const payload = rest.subarray(8, 8 + length)
    rest = rest.subarray(8 + length)
    const isWhole = payload.length === length
    if (first < 0x8000_0000) {
      if (flags > 1) return wrong
      found.push(...Array.from(payload, (byte) => `${byte} ${first}`))
      if (isWhole && flags === 1) found.push(`finish ${first}`)
      continue
    }
    const type = first & 0xffff
    const fixed = new Map([
      [3, 8],
      [6, 4],
      [7, 8],
      [9, 8],
    ]).get(type)
    if (first >>> 16 !== 0x8003 || ![1, 2, 3, 4, 6, 7, 8, 9].includes(type)) return wrong
    if (length > 65_536 || (fixed !== undefined && fixed !== length)) return wrong
    if (!isWhole) return { found, isWrong: false }
    if (type === 4 && (length < 4 || payload.readUInt32BE(0) * 8 + 4 !== length)) return wrong
    if (type === 3) found.push(`reset ${payload.readUInt32BE(0)}`)
    if (![1, 2, 8].includes(type)) continue
    blocks = Buffer.concat([blocks, payload.subarray(type === 1 ? 10 : 4)])
    const headers =
      blocks.subarray(-4).toString('hex') === '0000ffff' ? readPairs(inflate(blocks).subarray(inflatedBytes)) : null
    if (headers === null) return wrong
    inflatedBytes = inflate(blocks).length
    const id = payload.readUInt32BE(0)
    if (type === 1) found.push(`open ${id} ${JSON.stringify(headers)}`)
    if (type === 2) found.push(`reply ${id}`)
    if (flags === 1) found.push(`finish ${id}`)
  }
  return { found, isWrong: false }
}

function inflate(blocks: Buffer): Buffer {
  return inflateSync(blocks, { dictionary: headerDictionary, finishFlush: constants.Z_SYNC_FLUSH })
}

/** Null: not what the draft says. */
function readPairs(block: Buffer): [string, string][] | null {
  const headers: [string, string][] = []
  let at = 4
  const text = (): string => {
    const length = at + 4 <= block.length ? block.readUInt32BE(at) : Number.NaN
    at += 4 + length
    return block.toString('latin1', at - length, at)
  }
  for (let count = block.length < 4 ? 1 : block.readUInt32BE(0); count > 0; count -= 1) {
    headers.push([text(), text()])
    if (!(at <= block.length)) return null
  }
  return at === block.length && new Set(headers.map(([name]) => name)).size === headers.length ? headers : null
}
