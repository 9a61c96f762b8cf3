/** Frames that kubectl 1.29 sent, and others written by hand after the SPDY protocol, draft 3. */
import { createHash } from 'node:crypto'
import { constants, createDeflate, deflateRawSync } from 'node:zlib'
import t from 'tap'
import { headerDictionary } from '../../../../proxy/wire/spdy/dictionary.ts'
import { encodeData, encodeGoAway, encodeReply, encodeReset } from '../../../../proxy/wire/spdy/encode.ts'
import { SpdyFrames } from '../../../../proxy/wire/spdy/frames.ts'
import { WireError } from '../../../../proxy/wire/wire-error.ts'

const bytes = (...hex: string[]) => Buffer.from(hex.join('').replaceAll(' ', ''), 'hex')

/** What is found; parts of the same data joined. */
function read(pieces: readonly Buffer[]): string[] {
  const seen: string[] = []
  const frames = new SpdyFrames({
    open: (id, headers) => void seen.push(`open ${id} ${[...headers].map((pair) => pair.join('=')).join(' ')}`),
    reply: (id) => void seen.push(`reply ${id}`),
    data: (id, part) => {
      const last = seen.at(-1)
      const begin = `data ${id} `
      if (last?.startsWith(begin)) seen.pop()
      seen.push(`${last?.startsWith(begin) ? last : begin}${part.toString('latin1')}`)
    },
    finish: (id) => void seen.push(`finish ${id}`),
    reset: (id) => void seen.push(`reset ${id}`),
  })
  for (const piece of pieces) frames.scan(piece)
  return seen
}

const oneByOne = (whole: Buffer) => Array.from(whole, (byte) => Buffer.from([byte]))

const ofKubectl = [
  '80030001 00000029 00000001 00000000 0000 78f9e3c6a7c26260606004a7b392a2d4c45c6851c29a0a0a6800000000ffff',
  '80030001 00000017 00000003 00000000 0000 c22e555c92929907000000ffff',
  '80030001 00000019 00000005 00000000 0000 c22ac5565c92925f5a02000000ffff',
  '80030001 00000015 00000007 00000000 0000 c229975a5404000000ffff',
]
const ofServer = [
  '80030002 00000013 00000001 78f9e3c6a7c262000200000000ffff',
  '80030002 0000000c 00000003 020100000000ffff',
]

t.test('the dictionary', async (t) => {
  t.equal(headerDictionary.length, 1423)
  t.equal(
    createHash('sha256').update(headerDictionary).digest('hex'),
    '51d27341373f923f3cd88e1eb7162aeaa3723d7585ff2399201dc06498407f02',
  )
})

t.test('what kubectl opens, cut anywhere', async (t) => {
  const whole = bytes(...ofKubectl)
  const expected = ['error', 'stdin', 'stdout', 'stderr'].map((type, i) => `open ${2 * i + 1} streamtype=${type}`)
  for (let at = 0; at <= whole.length; at += 1)
    t.same(read([whole.subarray(0, at), whole.subarray(at)]), expected, `at ${at}`)
  t.same(read(oneByOne(whole)), expected)
})

t.test('replies without headers, also ours between those of the server', async (t) => {
  t.same(read([bytes(...ofServer)]), ['reply 1', 'reply 3'])
  const [first = '', second = ''] = ofServer
  t.same(read([encodeReply(1, true), bytes(second), encodeReply(5, false)]), ['reply 1', 'reply 3', 'reply 5'])
  t.same(read([bytes(first), encodeReply(5, false), bytes(second)]), ['reply 1', 'reply 5', 'reply 3'])
})

t.test('data, ends, resets; what tells nothing is passed over', async (t) => {
  const whole = bytes(
    '00000005 00000003 616263', // data of stream 5
    '00000005 01000001 64', // and its end
    '00000007 01000000', // an end without data
    '80030003 00000008 00000003 00000005', // RST_STREAM, cancel
    '80030006 00000004 00000001', // PING
    '80030007 00000008 00000007 00000000', // GOAWAY
    '80030009 00000008 00000001 00001000', // WINDOW_UPDATE
    '80030004 0000000c 00000001 01000004 00001000', // SETTINGS
  )
  const expected = ['data 5 abcd', 'finish 5', 'finish 7', 'reset 3']
  t.same(read([whole]), expected)
  t.same(read(oneByOne(whole)), expected)
})

t.test('flags of control frames: an end with the opening, and with a reply', async (t) => {
  const opened = `${ofKubectl[0]}`.replace('80030001 00', '80030001 01')
  t.same(read([bytes(opened)]), ['open 1 streamtype=error', 'finish 1'])
  t.same(read([bytes(`${ofServer[0]}`.replace('80030002 00', '80030002 01'))]), ['reply 1', 'finish 1'])
})

/** SYN_STREAM with blocks as they come out of one compressor. */
function synStream(id: number, block: Buffer): Buffer {
  const frame = Buffer.alloc(18)
  frame.writeUInt32BE(0x8003_0001, 0)
  frame.writeUIntBE(10 + block.length, 5, 3)
  frame.writeUInt32BE(id, 8)
  return Buffer.concat([frame, block])
}

function pairs(...headers: readonly (readonly [string, string])[]): Buffer {
  const number = (value: number) => {
    const four = Buffer.alloc(4)
    four.writeUInt32BE(value)
    return four
  }
  const texts = headers.flat().flatMap((text) => [number(text.length), Buffer.from(text, 'latin1')])
  return Buffer.concat([number(headers.length), ...texts])
}

/** By Node's stream, one for all blocks. */
async function deflateAll(blocks: readonly Buffer[]): Promise<Buffer[]> {
  const deflate = createDeflate({ dictionary: headerDictionary })
  const deflated: Buffer[] = []
  for (const block of blocks) {
    const parts: Buffer[] = []
    const take = (part: Buffer) => void parts.push(part)
    deflate.on('data', take)
    deflate.write(block)
    await new Promise<void>((done) => deflate.flush(constants.Z_SYNC_FLUSH, done))
    deflate.off('data', take)
    deflated.push(Buffer.concat(parts))
  }
  return deflated
}

t.test('many blocks of one compressor, whose window is full many times', async (t) => {
  const headers = Array.from({ length: 300 }, (_, i) => [
    ['streamtype', i % 2 ? 'data' : 'error'],
    ['port', String(8000 + i)],
    [
      'long',
      createHash('sha512')
        .update(String(i % 150))
        .digest('hex')
        .repeat(3),
    ],
  ]) as [string, string][][]
  const blocks = await deflateAll(headers.map((some) => pairs(...some)))
  const expected = headers.map((some, i) => `open ${i} ${some.map((pair) => pair.join('=')).join(' ')}`)
  t.same(read(blocks.map((block, i) => synStream(i, block))), expected)
})

/** As a first block, in front of what raw deflate makes. */
const begun = (raw: Buffer) => synStream(1, Buffer.concat([bytes('78f9e3c6a7c2'), raw]))
const flushed = (inflated: Buffer) =>
  deflateRawSync(inflated, { dictionary: headerDictionary, finishFlush: constants.Z_SYNC_FLUSH })

t.test('blocks that readers may read differently are refused', async (t) => {
  const good = flushed(pairs(['port', '80']))
  t.same(read([begun(good)]), ['open 1 port=80'])
  const blocks: Readonly<Record<string, Buffer>> = {
    'cut before its end': good.subarray(0, -1),
    'without the flush': good.subarray(0, -5),
    'with a last block': deflateRawSync(pairs(['port', '80']), { dictionary: headerDictionary }),
    'with a last block and more behind it': Buffer.concat([
      deflateRawSync(pairs(['port', '80']), { dictionary: headerDictionary }),
      good,
    ]),
    'with more than its headers': flushed(Buffer.concat([pairs(['port', '80']), Buffer.from('x')])),
    'with fewer headers than it says': flushed(bytes('00000002 00000001 61 00000001 62')),
    'with a header longer than itself': flushed(bytes('00000001 00000001 61 ffffffff 62')),
    'with a name twice': flushed(pairs(['port', '80'], ['port', '81'])),
    'with capitals': flushed(pairs(['Port', '80'])),
    'with an empty name': flushed(pairs(['', '80'])),
    'without anything': Buffer.alloc(0),
    'inflated beyond 16 KiB': flushed(pairs(['bomb', 'x'.repeat(16_384)])),
    'no deflate': bytes('ffffffff'),
  }
  for (const [what, block] of Object.entries(blocks)) t.throws(() => read([begun(block)]), WireError, what)
  t.same(read([begun(flushed(pairs(['long', 'x'.repeat(16_000)])))]).length, 1, 'below the limit')
})

t.test('a block whose end only looks like a flush is refused', async (t) => {
  // A stored block of 12 bytes of which 8 come, ending in 00 00 ff ff: the rest would be taken from the next frame.
  const stored = bytes('00 0c00 f3ff', '00000000 0000ffff')
  t.throws(() => read([begun(stored)]), WireError)
})

t.test('the first block must be one of zlib, with this dictionary', async (t) => {
  const good = flushed(pairs(['port', '80']))
  for (const header of ['', '789c', '78f9', '78f9e3c6a7c3', '78f8e3c6a7c2', '68d9e3c6a7c2', '78dae3c6a7c2'])
    t.throws(() => read([synStream(1, Buffer.concat([bytes(header), good]))]), WireError, header)
})

const refused: Readonly<Record<string, string>> = {
  'another version': '80020001 00000004 00000001',
  'an unknown type': '8003000a 00000004 00000001',
  'type 5': '80030005 00000000',
  'a control frame above 64 KiB': '80030001 00010001',
  'a control frame of 16 MiB': '80030001 00ffffff',
  'a reset of another length': '80030003 00000004',
  'a ping of another length': '80030006 00000008',
  'settings that say more than they have': '80030004 0000000c 20000001 0000000000000000',
  'settings that are too short': '80030004 00000002 0000',
  'flags of data': '00000001 02000000',
  'an opening that is too short': '80030001 00000009 000000010000000000',
  'a reply without a stream': '80030002 00000002 0000',
}

for (const [what, hex] of Object.entries(refused))
  t.test(`${what} is refused`, async (t) => {
    t.throws(() => read([bytes(hex)]), WireError)
    t.throws(() => read(oneByOne(bytes(hex))), WireError)
  })

t.test('boundaries', async (t) => {
  const nothing = () => {}
  const frames = new SpdyFrames({ open: nothing, reply: nothing, data: nothing, finish: nothing, reset: nothing })
  const chunk = bytes('00000005 00000003 616263', `${ofServer[0]}`)
  t.ok(frames.isAtBoundary)
  frames.scan(chunk.subarray(0, 9))
  t.notOk(frames.isAtBoundary)
  t.equal(frames.scanFrame(chunk.subarray(9)), 2)
  t.ok(frames.isAtBoundary)
  t.notOk(frames.hasHeaders)
  t.equal(frames.scanFrame(chunk.subarray(11)), chunk.length - 11)
  t.ok(frames.isAtBoundary && frames.hasHeaders)
})

t.test('frames that are sent, byte for byte', async (t) => {
  t.equal(encodeData(5, Buffer.from('abc'), false).toString('hex'), '0000000500000003616263')
  t.equal(encodeData(5, Buffer.alloc(0), true).toString('hex'), '0000000501000000')
  t.equal(encodeReset(3, 5).toString('hex'), '80030003000000080000000300000005')
  t.equal(encodeGoAway(7).toString('hex'), '80030007000000080000000700000000')
})
