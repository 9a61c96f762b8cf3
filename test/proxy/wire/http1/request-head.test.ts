/** Heads written by hand after RFC 9112. What is not taken goes to Node's parser, so that refusing too much costs time alone. */
import t from 'tap'
import { readRequest, readRequestFields } from '../../../../proxy/wire/http1/request-head.ts'

const line = 'GET /k8s/x/api/v1/pods?limit=5 HTTP/1.1\r\n'
const fields = 'Host: broker\r\nAuthorization: Bearer spt_token\r\n'

/** Null: it is for another parser. */
function read(text: string) {
  const bytes = Buffer.from(text, 'latin1')
  const request = readRequest(bytes)
  if (!request) return null
  const { method, url, fieldsAt, end } = request
  const raw = readRequestFields(bytes.subarray(fieldsAt, end))
  return raw && { method, url, raw, rest: bytes.toString('latin1', end) }
}

t.test('a plain head, with what is behind it', async (t) => {
  t.same(read(`${line}${fields}\r\nGET /next`), {
    method: 'GET',
    url: '/k8s/x/api/v1/pods?limit=5',
    raw: ['Host', 'broker', 'Authorization', 'Bearer spt_token'],
    rest: 'GET /next',
  })
  t.match(read(`HEAD / HTTP/1.1\r\n${fields}\r\n`), { method: 'HEAD', url: '/' })
  t.match(read(`${line}host:broker\r\nConnection: Keep-Alive\r\n\r\n`), {
    raw: ['host', 'broker', 'Connection', 'Keep-Alive'],
  })
  t.match(
    read(`${line}Host: \t broker\t \r\nX-Empty:\r\n\r\n`),
    { raw: ['Host', 'broker', 'X-Empty', ''] },
    'blanks around',
  )
})

for (const [what, text] of Object.entries({
  'no empty line': `${line}${fields}`,
  'an empty line of line feeds': `${line}Host: broker\n\n`,
  'a head of more than 16 KB': `${line}${fields}X-Long: ${'x'.repeat(16_384)}\r\n\r\n`,
  'another method': `POST /k8s HTTP/1.1\r\n${fields}\r\n`,
  'a method in small letters': `get / HTTP/1.1\r\n${fields}\r\n`,
  'HTTP/1.0': `GET / HTTP/1.0\r\n${fields}\r\n`,
  'no version': `GET /\r\n${fields}\r\n`,
  'the absolute form': `GET http://broker/k8s HTTP/1.1\r\n${fields}\r\n`,
  'the asterisk form': `GET * HTTP/1.1\r\n${fields}\r\n`,
  'two spaces': `GET  / HTTP/1.1\r\n${fields}\r\n`,
  'a space in the path': `GET /a b HTTP/1.1\r\n${fields}\r\n`,
  'a space behind the version': `GET / HTTP/1.1 \r\n${fields}\r\n`,
  'an empty line before it': `\r\n${line}${fields}\r\n`,
  'a bare CR in the line': `GET /a\rb HTTP/1.1\r\n${fields}\r\n`,
  'a byte that is not ASCII in the path': `GET /\xe4 HTTP/1.1\r\n${fields}\r\n`,
  'NUL in the path': `GET /\0 HTTP/1.1\r\n${fields}\r\n`,
  'a bare line feed': `${line}Host: broker\nX: y\r\n\r\n`,
  'a bare CR in a value': `${line}${fields}X: a\rb\r\n\r\n`,
  'NUL in a value': `${line}${fields}X: a\0b\r\n\r\n`,
  'DEL in a value': `${line}${fields}X: a\x7fb\r\n\r\n`,
  'a byte that is not ASCII': `${line}${fields}X: \xe4\r\n\r\n`,
  'a folded field': `${line}${fields}X: a\r\n b\r\n\r\n`,
  'a blank before the first field': `${line} Host: broker\r\n\r\n`,
  'a blank before the colon': `${line}${fields}X : a\r\n\r\n`,
  'no name': `${line}${fields}: a\r\n\r\n`,
  'no colon': `${line}${fields}X\r\n\r\n`,
  'no host': `${line}X: y\r\n\r\n`,
  'two hosts': `${line}${fields}host: other\r\n\r\n`,
  'a length': `${line}${fields}Content-Length: 0\r\n\r\n`,
  'two lengths': `${line}${fields}Content-Length: 1\r\nContent-Length: 2\r\n\r\n`,
  'a length and chunks': `${line}${fields}Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n`,
  chunks: `${line}${fields}tRANSFER-eNCODING: cHUNKED\r\n\r\n`,
  'an expectation': `${line}${fields}Expect: 100-continue\r\n\r\n`,
  'an upgrade': `${line}${fields}Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n`,
  'an upgrade that Connection does not name': `${line}${fields}Upgrade: websocket\r\n\r\n`,
  'a connection that is to close': `${line}${fields}Connection: close\r\n\r\n`,
  'a connection with a name': `${line}${fields}Connection: keep-alive, Authorization\r\n\r\n`,
  te: `${line}${fields}TE: trailers\r\n\r\n`,
  'a trailer': `${line}${fields}Trailer: x\r\n\r\n`,
}))
  t.test(`for another parser: ${what}`, async (t) => t.equal(read(text), null))

t.test('time grows with the length alone', async (t) => {
  const blanks = `${line}${fields}X:${' '.repeat(15_000)}\x01\r\n\r\n`
  const since = performance.now()
  for (let i = 0; i < 100; i += 1) read(blanks)
  t.ok(performance.now() - since < 2000)
})
