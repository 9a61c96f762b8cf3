/** What is read here Node's parser reads in the same way: a request that two readers take differently is how one is smuggled in another. */
import { createServer, type IncomingMessage } from 'node:http'
import { Duplex } from 'node:stream'
import t from 'tap'
import { readRequest, readRequestFields } from '../../../../proxy/wire/http1/request-head.ts'
import fc from '../../../fast-check.ts'

interface Read {
  readonly method: string
  readonly url: string
  readonly raw: readonly string[]
}

/** Of all requests in some bytes, that of Node. */
function readByNode(bytes: Buffer): Promise<Read[]> {
  const requests: Read[] = []
  const server = createServer(({ method = '', url = '', rawHeaders }: IncomingMessage, response) => {
    requests.push({ method, url, raw: rawHeaders })
    response.end()
  })
  const socket = new Duplex({ read: () => {}, write: (_chunk, _encoding, done) => done() })
  server.on('clientError', () => socket.destroy())
  const { promise, resolve } = Promise.withResolvers<Read[]>()
  socket.on('close', () => resolve(requests)).on('error', () => {})
  server.emit('connection', socket)
  socket.push(bytes)
  socket.push(null)
  return promise
}

function readHere(bytes: Buffer): Read[] {
  const requests: Read[] = []
  for (let at = 0; at < bytes.length; ) {
    const rest = bytes.subarray(at)
    const request = readRequest(rest)
    const raw = request && readRequestFields(rest.subarray(request.fieldsAt, request.end))
    if (!request || !raw) break
    requests.push({ method: request.method, url: request.url, raw })
    at += request.end
  }
  return requests
}

const odd = fc.constantFrom('\r', '\n', '\0', ' ', '\t', ':', '\x7f', '\x80', '\r\n', '\r\n\r\n', ',', 'a', '"')
const text = fc.oneof(
  { weight: 4, arbitrary: fc.stringMatching(/^[!-~]{0,8}$/) },
  { weight: 1, arbitrary: fc.array(odd, { maxLength: 4 }).map((parts) => parts.join('')) },
)
const name = fc.oneof(
  fc.constantFrom('Host', 'Content-Length', 'Transfer-Encoding', 'Connection', 'Upgrade', 'Expect', 'X', 'Accept'),
  text,
)
const value = fc.oneof(fc.constantFrom('broker', '0', '2', 'chunked', 'keep-alive', 'close', 'h2c', ' x ', ''), text)
const field = fc.tuple(
  name,
  fc.constantFrom(': ', ':', ' :', ':\t'),
  value,
  fc.constantFrom('\r\n', '\r\n', '\r\n', '\n'),
)
const head = fc
  .record({
    start: fc.constantFrom(
      'GET / HTTP/1.1\r\n',
      'HEAD /a?b HTTP/1.1\r\n',
      'GET /%2f HTTP/1.1\r\n',
      'GET / HTTP/1.0\r\n',
    ),
    host: fc.constantFrom('Host: broker\r\n', 'host:b\r\n', ''),
    fields: fc.array(field, { maxLength: 4 }),
    end: fc.constantFrom('\r\n', '\r\n', '\r\n', '', '\n', 'x'),
  })
  .map(({ start, host, fields, end }) => `${start}${host}${fields.map((parts) => parts.join('')).join('')}${end}`)

t.test('requests that are taken here are those that Node reads', async (t) => {
  let taken = 0
  const property = fc.asyncProperty(fc.array(head, { minLength: 1, maxLength: 3 }), async (heads) => {
    const bytes = Buffer.from(heads.join(''), 'latin1')
    const here = readHere(bytes)
    taken += here.length
    const node = here.length === 0 ? [] : await readByNode(bytes)
    return JSON.stringify(node.slice(0, here.length)) === JSON.stringify(here)
  })
  await fc.assert(property, { numRuns: 10_000 })
  t.ok(taken > 500, `${taken} were compared`)
})
