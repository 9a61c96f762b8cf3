/** Frames written by hand after RFC 6455, §5.2 and §5.7. */
import t from 'tap'
import { encodeClose, encodeMessage, encodeMessageEnd } from '../../../../proxy/wire/websocket/encode.ts'
import { WebsocketFrames } from '../../../../proxy/wire/websocket/frames.ts'
import { WireError } from '../../../../proxy/wire/wire-error.ts'

const bytes = (hex: string) => Buffer.from(hex.replaceAll(' ', ''), 'hex')

/** What is found, with the parts of one message joined. */
function readInPieces(isMasked: boolean, pieces: readonly Buffer[]): string[] {
  const seen: string[] = []
  const frames = new WebsocketFrames(
    {
      begin: (isText) => void seen.push(isText ? 'text ' : 'binary '),
      data: (part) => void seen.push(`${seen.pop() ?? ''}${part.toString('latin1')}`),
      end: () => void seen.push(`${seen.pop() ?? ''}.`),
      // Between the parts of a message, whose text must go on.
      control: (code, payload) =>
        void seen.splice(Math.max(0, seen.length - 1), 0, `${code}:${payload.toString('hex')}`),
    },
    isMasked,
  )
  for (const piece of pieces) frames.scan(piece)
  return seen
}

const read = (isMasked: boolean, hex: string) => readInPieces(isMasked, [bytes(hex)])

t.test('the examples of RFC 6455, §5.7', async (t) => {
  t.same(read(false, '81 05 48656c6c6f'), ['text Hello.'])
  t.same(read(true, '81 85 37fa213d 7f9f4d5158'), ['text Hello.'])
  t.same(read(false, '01 03 48656c  80 02 6c6f'), ['text Hello.'], 'in two frames')
  t.same(
    read(false, '01 03 48656c  89 05 48656c6c6f  80 02 6c6f'),
    ['9:48656c6c6f', 'text Hello.'],
    'a ping between them',
  )
  t.same(readInPieces(false, [bytes('82 7e 0100'), Buffer.alloc(256, 'a')]), [`binary ${'a'.repeat(256)}.`])
  t.same(readInPieces(false, [bytes('82 7f 0000000000010000'), Buffer.alloc(65_536, 'a')]), [
    `binary ${'a'.repeat(65_536)}.`,
  ])
})

t.test('an empty message, and control frames without payload', async (t) => {
  t.same(read(false, '82 00'), ['binary .'])
  t.same(read(true, '82 80 01020304 8a 80 01020304'), ['10:', 'binary .'])
  t.same(read(false, '02 00 00 00 80 00'), ['binary .'])
})

t.test('frames cut anywhere are read the same', async (t) => {
  const whole = bytes(
    '02 83 01020304 494e6f  8a 81 01020304 ff  00 80 00000000  80 82 f0f0f0f0 9c9f  88 82 11223344 12ca',
  )
  const expected = ['10:fe', '8:03e8', 'binary HLllo.']
  t.same(readInPieces(true, [whole]), expected)
  for (let at = 0; at <= whole.length; at += 1)
    t.same(readInPieces(true, [whole.subarray(0, at), whole.subarray(at)]), expected, `at ${at}`)
  t.same(
    readInPieces(
      true,
      Array.from(whole, (byte) => Buffer.from([byte])),
    ),
    expected,
    'byte by byte',
  )
})

const refused: readonly (readonly [what: string, isMasked: boolean, hex: string])[] = [
  ['an extension', false, 'c1 05 48656c6c6f'],
  ['a reserved bit', false, '91 00'],
  ['a mask from the server', false, '81 85 37fa213d 7f9f4d5158'],
  ['no mask from the client', true, '81 05 48656c6c6f 00000000'],
  ['an unknown opcode', false, '83 00'],
  ['an unknown control opcode', false, '8b 00'],
  ['a control frame in pieces', false, '09 00'],
  ['a control frame of 126 bytes', false, '89 7e 007e'],
  ['a message within another', false, '01 00 81 00'],
  ['a continuation of nothing', false, '80 00'],
  ['a second continuation', false, '01 00 80 00 80 00'],
  ['a length of 125 in two bytes', false, '82 7e 007d'],
  ['a length of 65,535 in eight bytes', false, '82 7f 000000000000ffff'],
  ['a length beyond 2^53', false, '82 7f 0020000000000000'],
  ['a negative length', false, '82 7f ffffffffffffffff'],
  ['half a close code', false, '88 01 03'],
  ['a frame behind the close frame', false, '88 02 03e8 81 00'],
]

for (const [what, isMasked, hex] of refused)
  t.test(`${what} is refused`, async (t) => {
    t.throws(() => read(isMasked, hex), WireError)
    t.throws(
      () =>
        readInPieces(
          isMasked,
          Array.from(bytes(hex), (byte) => Buffer.from([byte])),
        ),
      WireError,
    )
  })

t.test('the longest length is taken, and nothing is gathered for it', async (t) => {
  t.same(read(false, '82 7f 001fffffffffffff 41 42'), ['binary AB'])
})

t.test('what passes stays masked', async (t) => {
  const chunk = bytes('81 85 37fa213d 7f9f4d5158')
  const before = Buffer.from(chunk)
  t.same(readInPieces(true, [chunk]), ['text Hello.'])
  t.ok(chunk.equals(before))
})

t.test('boundaries: after each frame, within a message, after the close frame', async (t) => {
  const frames = new WebsocketFrames({ begin: () => {}, data: () => {}, end: () => {}, control: () => {} }, false)
  const state = () => [frames.isAtBoundary, frames.isInMessage, frames.isClosed]
  const chunk = bytes('01 03 48656c  89 00  80 02 6c6f  88 02 03e8')
  t.same(state(), [true, false, false])
  frames.scan(chunk.subarray(0, 1))
  t.same(state(), [false, false, false], 'within a header')
  t.equal(frames.scanFrame(chunk.subarray(1)), 4, 'the rest of the frame')
  t.same(state(), [true, true, false])
  t.equal(frames.scanFrame(chunk.subarray(5)), 2, 'the next one')
  t.same(state(), [true, true, false])
  t.equal(frames.scanFrame(chunk.subarray(7, 10)), 3, 'all of a chunk that is less')
  t.same(state(), [false, true, false])
  t.equal(frames.scanFrame(chunk.subarray(10)), 1)
  t.same(state(), [true, false, false])
  frames.scan(chunk.subarray(11))
  t.same(state(), [true, false, true])
})

t.test('frames of a server, byte for byte', async (t) => {
  t.equal(encodeMessage(Buffer.from('Hello'), true).toString('hex'), '810548656c6c6f')
  t.equal(encodeMessage(Buffer.from([3])).toString('hex'), '820103')
  t.equal(encodeMessage(Buffer.alloc(125)).subarray(0, 2).toString('hex'), '827d')
  t.equal(encodeMessage(Buffer.alloc(126)).subarray(0, 4).toString('hex'), '827e007e')
  t.equal(encodeMessage(Buffer.alloc(65_535)).subarray(0, 4).toString('hex'), '827effff')
  t.equal(encodeMessage(Buffer.alloc(65_536)).subarray(0, 10).toString('hex'), '827f0000000000010000')
  t.equal(encodeMessageEnd().toString('hex'), '8000')
  t.equal(encodeClose(1000).toString('hex'), '880203e8')
  t.equal(encodeClose(1001, 'bye').toString('hex'), '880503e9627965')
  t.throws(() => encodeClose(1000, 'x'.repeat(124)), WireError)
})
