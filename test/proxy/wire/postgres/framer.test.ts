import t from 'tap'
import { backendSizes, Framer, type FrameSink, frontendSizes } from '../../../../proxy/wire/postgres/framer.ts'
import { WireError } from '../../../../proxy/wire/wire-error.ts'
import { hex } from './hex.ts'

const bytes = (text: string) => Buffer.from(text)

/** Writes down what it is given; collects at most `cap` bytes of a body, stops before a message of type `stopAt`. */
function notes(cap = 1024, stopAt = ''): FrameSink & { seen: string[] } {
  const seen: string[] = []
  const streamed: string[] = []
  return {
    seen,
    begin: (type) => {
      streamed.length = 0
      return String.fromCharCode(type) === stopAt ? -1 : cap
    },
    part: (_type, chunk, start, end) => streamed.push(chunk.toString('latin1', start, end)),
    message: (type, chunk, start, end, length) => {
      const letter = String.fromCharCode(type)
      if (letter === stopAt) return false
      seen.push(`${letter}${length}:${chunk.toString('latin1', start, Math.min(end, start + cap))}`)
      return true
    },
  }
}

const stream = hex(
  '51 0000000d', bytes('select 1\0'), // Query
  '53 00000004', // Sync
  '64 00000006', bytes('ab'), // CopyData
  '58 00000004', // Terminate
) // biome-ignore format: a field per line

const whole = ['Q9:select 1\0', 'S0:', 'd2:ab', 'X0:']

t.test('messages are found wherever the chunks are cut', async (t) => {
  for (let cut = 0; cut <= stream.length; cut += 1) {
    const sink = notes()
    const framer = new Framer(frontendSizes, sink)
    t.equal(framer.scan(stream.subarray(0, cut)), cut)
    t.equal(framer.scan(stream.subarray(cut)), stream.length - cut)
    t.same(sink.seen, whole, `cut at ${cut}`)
    t.ok(framer.atBoundary)
  }
  const sink = notes()
  const framer = new Framer(frontendSizes, sink)
  for (const byte of stream) framer.scan(Buffer.from([byte]))
  t.same(sink.seen, whole, 'byte by byte')
})

t.test('it knows when it is between messages, and how much is missing', async (t) => {
  const framer = new Framer(frontendSizes, notes())
  t.ok(framer.atBoundary)
  framer.scan(stream.subarray(0, 2))
  t.notOk(framer.atBoundary)
  t.equal(framer.missing, 3)
  framer.scan(stream.subarray(2, 7))
  t.equal(framer.missing, 7)
  framer.scan(stream.subarray(7, 14))
  t.ok(framer.atBoundary)
  t.equal(framer.missing, 0)
})

t.test('only what is asked for is collected', async (t) => {
  const sink = notes(4)
  const framer = new Framer(frontendSizes, sink)
  framer.scan(stream.subarray(0, 8))
  framer.scan(stream.subarray(8))
  t.equal(sink.seen[0], 'Q9:sele')
})

t.test('it stops before a message when told', async (t) => {
  t.equal(new Framer(frontendSizes, notes(9, 'd')).scan(stream), 19, 'whole in the chunk')
  const partly = new Framer(frontendSizes, notes(9, 'd'))
  t.equal(partly.scan(stream.subarray(0, 25)), 19, 'begun in the chunk')
  t.ok(partly.atBoundary)
  const headed = new Framer(frontendSizes, notes(9, 'd'))
  headed.scan(stream.subarray(0, 21))
  t.equal(headed.scan(stream.subarray(21)), 0, 'part of its header has gone on')
  t.notOk(headed.atBoundary)
})

t.test('lengths and types are checked before anything goes on', async (t) => {
  const bad: Record<string, Buffer> = {
    'length 0': hex('51 00000000'),
    'length 3': hex('51 00000003'),
    'length 2³¹−1': hex('51 7fffffff'),
    'length −1': hex('51 ffffffff'),
    'a Sync of 20,000 bytes': hex('53 00004e20'),
    'an unknown type': hex('7a 00000004'),
    'a password after sign-in': hex('70 00000005 00'),
    'an unknown type, of which one byte is here': hex('7a'),
    'a good message before it': hex('53 00000004 7a 00000004'),
  }
  for (const [name, chunk] of Object.entries(bad)) {
    const framer = new Framer(frontendSizes, notes())
    t.throws(() => framer.scan(chunk), WireError, name)
  }
  const split = new Framer(frontendSizes, notes())
  split.scan(hex('51 7fff'))
  t.throws(() => split.scan(hex('ffff')), WireError, 'a length in two chunks')
})

t.test('a message of 1 GB is followed without being held', async (t) => {
  const sink = { ...notes(8), part: () => {} }
  const framer = new Framer(frontendSizes, sink)
  framer.scan(hex('64 3ffffffe')) // CopyData, 0x3ffffffa bytes
  const chunk = Buffer.alloc(0x10_0000, 0x61)
  let left = 0x3fff_fffa
  for (; left > chunk.length; left -= chunk.length) framer.scan(chunk)
  t.equal(framer.missing, left)
  framer.scan(chunk.subarray(0, left))
  t.ok(framer.atBoundary)
  t.same(sink.seen, [`d${0x3fff_fffa}:aaaaaaaa`])
})

t.test('sign-in and replication messages are not among those of a running session', async (t) => {
  for (const letter of 'RKvWp') t.equal(backendSizes[letter.charCodeAt(0)], 0, letter)
  for (const letter of 'pRZ') t.equal(frontendSizes[letter.charCodeAt(0)], 0, letter)
})
