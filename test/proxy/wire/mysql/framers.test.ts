/** Packets by the byte: any split of the stream gives the same, and sizes around that of a whole piece. */
import t from 'tap'
import { CommandFramer } from '../../../../proxy/wire/mysql/command-framer.ts'
import { Framer } from '../../../../proxy/wire/mysql/framer.ts'
import { WireError } from '../../../../proxy/wire/wire-error.ts'

const fullPiece = 0xff_ffff

/** int<3> length, int<1> sequence id, payload; a payload of a whole piece and more is split. */
function packets(payload: Buffer, sequence: number): Buffer {
  const parts: Buffer[] = []
  let id = sequence
  for (let at = 0; ; at += fullPiece) {
    const piece = payload.subarray(at, at + fullPiece)
    parts.push(Buffer.from([piece.length & 0xff, (piece.length >> 8) & 0xff, piece.length >> 16, id & 0xff]), piece)
    id += 1
    if (piece.length < fullPiece) return Buffer.concat(parts)
  }
}

function collect(stopAt = Number.POSITIVE_INFINITY) {
  const found: string[] = []
  const framer = new Framer({
    whole: (bytes, start, end) => {
      if (found.length >= stopAt) return false
      found.push(bytes.toString('latin1', start, end))
      return true
    },
    begin: () => (found.length >= stopAt ? -1 : 1_000_000),
    end: (collected) => void found.push(collected.toString('latin1')),
  })
  return { found, framer }
}

t.test('any split of a server’s bytes finds the same payloads', async (t) => {
  const stream = Buffer.concat([
    packets(Buffer.from('one'), 1),
    packets(Buffer.from([0xfe]), 2),
    packets(Buffer.from('a longer payload'), 3),
  ])
  const expected = ['one', '\xfe', 'a longer payload']
  for (let size = 1; size <= stream.length; size += 1) {
    const { found, framer } = collect()
    framer.next = 1
    for (let at = 0; at < stream.length; at += size) {
      const chunk = stream.subarray(at, at + size)
      t.equal(framer.scan(chunk), chunk.length)
    }
    t.same(found, expected, `in pieces of ${size}`)
    t.ok(framer.atBoundary)
    t.equal(framer.next, 4)
  }
})

t.test('it stops before a payload, and what follows on is as if it had not been read', async (t) => {
  const stream = Buffer.concat([packets(Buffer.from('one'), 1), packets(Buffer.from('two'), 2)])
  const { framer } = collect(1)
  framer.next = 1
  t.equal(framer.scan(stream), 7, 'whole in its chunk')
  t.equal(framer.next, 2)
  t.ok(framer.atBoundary)
  const cut = collect(1).framer
  cut.next = 1
  t.equal(cut.scan(stream.subarray(0, stream.length - 1)), 7, 'not whole in its chunk')
  t.equal(cut.nextToSend, 2)
  t.ok(cut.atBoundary)
})

t.test('packets out of order, and an empty one', async (t) => {
  const { framer } = collect()
  framer.next = 1
  t.throws(() => framer.scan(Buffer.concat([packets(Buffer.from('a'), 1), packets(Buffer.from('b'), 3)])), WireError)
  t.equal(framer.nextToSend, 1, 'none of it has gone on')
  t.throws(() => collect().framer.scan(packets(Buffer.alloc(0), 0)), WireError)
  const error = collect()
  error.framer.next = 5
  error.framer.scan(packets(Buffer.from([0xff, 1, 2]), 0))
  t.equal(error.found.length, 1, 'an error is taken at any number')
})

t.test('M-4: payloads around the size of a whole piece, from either side', async (t) => {
  for (const size of [fullPiece - 1, fullPiece, fullPiece + 1, 2 * fullPiece]) {
    const payload = Buffer.alloc(size, 'x')
    const stream = Buffer.concat([packets(payload, 1), packets(Buffer.from('end'), 2 + Math.floor(size / fullPiece))])
    for (const chunkBytes of [stream.length, 65_536, 16_777_219]) {
      const sizes: number[] = []
      const framer = new Framer({
        whole: (_bytes, start, end) => sizes.push(end - start) > 0,
        begin: () => 10,
        end: (collected) => void sizes.push(collected.length),
      })
      framer.next = 1
      for (let at = 0; at < stream.length; at += chunkBytes) framer.scan(stream.subarray(at, at + chunkBytes))
      t.equal(sizes.length, 2, `${size} in chunks of ${chunkBytes}`)
      t.ok(framer.atBoundary)
      const up = commands(() => true)
      const query = packets(Buffer.concat([Buffer.from([3]), payload.subarray(1)]), 0)
      const sent = Buffer.concat([query, packets(Buffer.from([14]), 0)])
      t.ok(up.send(sent, chunkBytes).equals(sent), 'all of it goes on')
      t.same(up.seen, [`long ${size} ${1 + Math.floor(size / fullPiece)}`, 'command 0e'])
    }
  }
})

/** @param isLet whether a command goes on, by its first byte */
function commands(isLet: (first: number) => boolean) {
  const seen: string[] = []
  const state = { isData: false }
  const framer = new CommandFramer(
    {
      get isData() {
        return state.isData
      },
      command: (bytes, start, end) => {
        seen.push(`command ${bytes.toString('hex', start, Math.min(end, start + 8))}`)
        return isLet(bytes[start] as number)
      },
      begin: (bytes, start) => isLet(bytes[start] as number),
      part: () => {},
      end: (length, sequence) => void seen.push(`long ${length} ${sequence}`),
      endData: (length, sequence) => {
        seen.push(`data ${length} ${sequence}`)
        if (length === 0) state.isData = false
      },
    },
    64,
  )
  /** @returns what goes on; an answer is given at once */
  const send = (bytes: Buffer, chunkBytes: number): Buffer => {
    const passed: Buffer[] = []
    const scan = (chunk: Buffer): void => {
      if (chunk.length === 0) return
      if (framer.scan(chunk) === chunk.length) {
        passed.push(chunk)
        return
      }
      const { passing, rest } = framer.passing
      passed.push(passing)
      if (rest) seen.push('answered')
      if (rest) scan(rest)
    }
    for (let at = 0; at < bytes.length; at += chunkBytes) scan(bytes.subarray(at, at + chunkBytes))
    return Buffer.concat(passed)
  }
  return { framer, seen, state, send }
}

t.test('commands in any split: what is kept back never goes on, and nothing else is changed', async (t) => {
  const ping = packets(Buffer.from([14]), 0)
  const refused = packets(Buffer.from([8, 1, 2]), 0)
  const long = packets(Buffer.concat([Buffer.from([3]), Buffer.alloc(200, 'q')]), 0)
  const longRefused = packets(Buffer.concat([Buffer.from([8]), Buffer.alloc(300, 'r')]), 0)
  const all = [ping, refused, long, longRefused, ping, refused, refused, long]
  const stream = Buffer.concat(all)
  const expected = Buffer.concat(all.filter((one) => one !== refused && one !== longRefused))
  for (let size = 1; size <= stream.length; size += 1) {
    const up = commands((first) => first !== 8)
    t.ok(up.send(stream, size).equals(expected), `in pieces of ${size}`)
    t.same(up.seen, [
      ...['command 0e', 'command 080102', 'answered', 'long 201 1', 'long 301 1', 'answered'],
      ...['command 0e', 'command 080102', 'answered', 'command 080102', 'answered', 'long 201 1'],
    ])
    t.ok(up.framer.atBoundary)
  }
})

t.test('data of a file is numbered on, and ends with an empty packet', async (t) => {
  const stream = Buffer.concat([
    packets(Buffer.alloc(100, 'd'), 2),
    packets(Buffer.from('e'), 3),
    packets(Buffer.alloc(0), 4),
    packets(Buffer.from([14]), 0),
  ])
  for (let size = 1; size <= stream.length; size += 1) {
    const up = commands(() => true)
    up.state.isData = true
    up.framer.expectData(2)
    t.ok(up.send(stream, size).equals(stream), `in pieces of ${size}`)
    t.same(up.seen, ['data 100 3', 'data 1 4', 'data 0 5', 'command 0e'])
  }
  const wrong = commands(() => true)
  wrong.state.isData = true
  wrong.framer.expectData(2)
  t.throws(() => wrong.send(packets(Buffer.from('x'), 3), 100), WireError)
})

t.test('a command that is not numbered 0, or is empty', async (t) => {
  t.throws(() => commands(() => true).send(packets(Buffer.from([14]), 1), 100), WireError)
  t.throws(() => commands(() => true).send(packets(Buffer.alloc(0), 0), 100), WireError)
  t.throws(() => commands(() => true).send(packets(Buffer.alloc(0), 0), 1), WireError)
})
