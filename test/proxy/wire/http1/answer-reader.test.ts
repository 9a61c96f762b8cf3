/** Answers written by hand after RFC 9112, whole and in pieces of every size. */
import t from 'tap'
import type { AnswerHead } from '../../../../proxy/wire/http1/answer-head.ts'
import { AnswerReader } from '../../../../proxy/wire/http1/answer-reader.ts'
import { WireError } from '../../../../proxy/wire/wire-error.ts'

interface Seen {
  head?: AnswerHead
  body: string
  length: number
  /** Null: it is not over. */
  isClean: boolean | null
}

function read(text: string, { isHead = false, size = text.length, closes = false } = {}): Seen & { isWhole: boolean } {
  const seen: Seen = { body: '', length: 0, isClean: null }
  const sink = {
    head: (head: AnswerHead) => {
      seen.head = head
      return true
    },
    body: (bytes: Buffer, length: number) => {
      seen.body += bytes.toString('latin1')
      seen.length += length
    },
    end: (isClean: boolean) => {
      seen.isClean = isClean
    },
  }
  const reader = new AnswerReader(sink, isHead)
  const bytes = Buffer.from(text, 'latin1')
  for (let at = 0; at < bytes.length; at += size) reader.push(bytes.subarray(at, at + size))
  const isWhole = closes ? reader.close() : seen.isClean !== null
  return { ...seen, isWhole }
}

const chunked = 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n'
const chunks = '4\r\nab\r\n\r\nA;name="x y"\r\n0123456789\r\n0\r\nX-Sum: \xe4\r\n\r\n'

t.test('bodies by length, by chunks, and none, in pieces of every size', async (t) => {
  const cases: readonly (readonly [text: string, isHead: boolean, expected: object])[] = [
    [
      'HTTP/1.1 200 OK\r\nContent-Length: 3\r\nX-Y: \xe4 b \r\n\r\nabc',
      false,
      {
        body: 'abc',
        length: 3,
        isClean: true,
        head: { status: 200, reason: 'OK', fields: ['Content-Length', '3', 'X-Y', '\xe4 b'] },
      },
    ],
    ['HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n', false, { body: '', isClean: true, head: { reason: '' } }],
    [chunked + chunks, false, { body: chunks, length: 14, isClean: true, head: { length: 'chunked' } }],
    [chunked, true, { body: '', isClean: true }],
    ['HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n', true, { body: '', isClean: true }],
    ['HTTP/1.1 204 No Content\r\n\r\n', false, { body: '', isClean: true }],
    ['HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n', false, { body: '', isClean: true }],
    [
      'HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\na',
      false,
      { body: 'a', isClean: true, head: { status: 200 } },
    ],
    ['HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 1\r\n\r\na', false, { body: 'a', isClean: false }],
    ['HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\na', false, { body: 'a', isClean: false }],
    ['HTTP/1.0 200 OK\r\nConnection: Keep-Alive\r\nContent-Length: 1\r\n\r\na', false, { body: 'a', isClean: true }],
  ]
  for (const [text, isHead, expected] of cases)
    for (let size = 1; size <= text.length; size += 1) {
      const seen = read(text, { isHead, size: Math.max(size, Math.ceil(text.length / 60)) })
      t.match(seen, { ...expected, isWhole: true }, `${text} by ${size}`)
    }
})

t.test('a body until the connection ends is whole only then, and one of known length is not', async (t) => {
  t.match(read('HTTP/1.1 200 OK\r\n\r\nabc'), { body: 'abc', isWhole: false })
  t.match(read('HTTP/1.1 200 OK\r\n\r\nabc', { closes: true }), { body: 'abc', isClean: false, isWhole: true })
  t.match(read('HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nabc', { closes: true }), { isClean: null, isWhole: false })
  t.match(read(`${chunked}3\r\nabc\r\n`, { closes: true }), { isClean: null, isWhole: false })
  t.match(read('HTTP/1.1 200 OK\r\nContent-', { closes: true }), { isWhole: false })
})

t.test('what is behind an answer belongs to none, and the connection is not used again', async (t) => {
  t.match(read('HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\naHTTP/1.1 200 OK\r\n'), { body: 'a', isClean: false })
  t.match(read(`${chunked}0\r\n\r\nx`), { body: '0\r\n\r\n', isClean: false })
  t.throws(() => read('HTTP/1.1 204 No\r\n\r\nx', { size: 19 }), WireError)
})

const ok = 'HTTP/1.1 200 OK\r\n'
for (const [what, text] of Object.entries({
  'another protocol, without a whole line': 'SSH-2.0',
  'another version': 'HTTP/2.0 200 OK\r\n\r\n',
  'a status of four digits': 'HTTP/1.1 2000 OK\r\n\r\n',
  'a status that begins with 0': 'HTTP/1.1 099 OK\r\n\r\n',
  'bytes before it': `\r\n${ok}\r\n`,
  'a line feed alone': 'HTTP/1.1 200 OK\nX: y\r\n\r\n',
  'a folded field': `${ok}X: a\r\n b\r\n\r\n`,
  'a blank before the colon': `${ok}Content-Length : 1\r\n\r\n`,
  'a bare CR': `${ok}X: a\rb\r\n\r\n`,
  NUL: `${ok}X: a\0\r\n\r\n`,
  'two lengths, even the same': `${ok}Content-Length: 1\r\ncontent-length: 1\r\n\r\n`,
  'a list of lengths': `${ok}Content-Length: 1, 1\r\n\r\n`,
  'a length with a sign': `${ok}Content-Length: +1\r\n\r\n`,
  'a length in hexadecimal': `${ok}Content-Length: 0x1\r\n\r\n`,
  'an empty length': `${ok}Content-Length:\r\n\r\n`,
  'a length beyond what numbers hold': `${ok}Content-Length: 9999999999999999\r\n\r\n`,
  'a length and chunks': `${ok}Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n`,
  'chunks twice': `${ok}Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n`,
  'another coding': `${ok}Transfer-Encoding: gzip, chunked\r\n\r\n`,
  'chunks by HTTP/1.0': 'HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n',
  'a head of more than 64 KB': `${ok}X: ${'x'.repeat(65_536)}`,
  'a chunk without a size': `${chunked}\r\n`,
  'a size with a sign': `${chunked}-1\r\n`,
  'a size with a blank before it': `${chunked} 1\r\n`,
  'a size with 0x': `${chunked}0x1\r\n`,
  'a size beyond what numbers hold': `${chunked}10000000000000\r\n`,
  'a size with a line feed alone': `${chunked}1\na\r\n`,
  'a size with a bare CR': `${chunked}1\r\ra\r\n`,
  'an endless extension': `${chunked}1;${'x'.repeat(300)}`,
  'a chunk longer than it says': `${chunked}1\r\nab\r\n`,
  'a chunk that ends without CR': `${chunked}1\r\na\n0\r\n\r\n`,
  'a trailer that is none': `${chunked}0\r\nx\r\n\r\n`,
  'a folded trailer': `${chunked}0\r\nX: a\r\n b\r\n\r\n`,
  'endless trailers': `${chunked}0\r\n${'X: a\r\n'.repeat(5000)}`,
  'one endless trailer': `${chunked}0\r\nX: ${'a'.repeat(20_000)}`,
}))
  t.test(`refused: ${what}`, async (t) => {
    t.throws(() => read(text), WireError)
    t.throws(() => read(text, { size: 1 + Math.ceil(text.length / 50) }), WireError, 'in pieces')
  })

t.test('a head in too many pieces is refused', async (t) => {
  t.throws(() => read(`${ok}X: ${'x'.repeat(200)}\r\n\r\n`, { size: 1 }), WireError)
})
