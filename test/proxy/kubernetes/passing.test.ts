/** What passes between clients and an API server, and what does not: traps that other proxies fell into, by their numbers. */
import { once } from 'node:events'
import type { IncomingMessage } from 'node:http'
import { createSecureServer } from 'node:http2'
import type { AddressInfo, Socket } from 'node:net'
import { gzipSync } from 'node:zlib'
import t from 'tap'
import { waitUntil } from '../../wait-until.ts'
import { authority, prefix, readAnswer, serverName, startHouse } from './endpoint-house.ts'

const pods = '/api/v1/namespaces/shop/pods'
const create = { method: 'POST', body: '{"kind":"ConfigMap"}', headers: { 'content-type': 'application/json' } }

t.test('K-1: HTTP/1.1 to a cluster that offers h2 as well', async (t) => {
  const leaf = authority.issue([serverName])
  const versions: string[] = []
  const sockets = new Set<Socket>()
  const cluster = createSecureServer({ ...leaf, allowHTTP1: true }, (request, response) => {
    versions.push(request.httpVersion)
    response.end('{}')
  })
  cluster.on('secureConnection', (socket: Socket) => void sockets.add(socket))
  await new Promise<void>((resolve) => cluster.listen(0, '127.0.0.1', resolve))
  t.teardown(() => {
    cluster.close()
    for (const socket of sockets) socket.destroy()
  })
  const { port } = cluster.address() as AddressInfo
  const { ask } = await startHouse(t, { engine: { address: { host: '127.0.0.1', port } } })
  t.match(await ask(pods), { status: 200 })
  t.same(versions, ['1.1'])
})

t.test(
  'trap 6, K-5, rancher/steve 25, teleport 32839: who acts as another is refused, never let through as oneself',
  async (t) => {
    const { ask, asked, leases } = await startHouse(t)
    for (const headers of [
      { 'impersonate-user': 'bob' },
      { 'impersonate-user': '' },
      { 'Impersonate-Group': 'system:masters' },
      { 'x-remote-user': 'bob' },
    ])
      t.match(await ask(pods, { headers }), { status: 403, message: /^Sallyport: / }, JSON.stringify(headers))
    t.same(asked, [])
    t.same(leases, [], 'no credential was asked for either')
  },
)

t.test('trap 7, K-4, CVE-2021-31999: what Connection names takes away no header of ours', async (t) => {
  const { raw, asked } = await startHouse(t)
  for (const named of ['Impersonate-User', 'Authorization', ' authorization ', 'close, host', 'x-forwarded-for']) {
    const lines = ['Host: broker', 'Authorization: Bearer spt_token', `Connection: ${named}`]
    const got = await raw([`GET ${prefix}${pods} HTTP/1.1`, ...lines, '', ''].join('\r\n'))
    t.match(got, /^HTTP\/1\.1 400 /, named)
  }
  t.same(asked, [])
})

t.test('Host header: the cluster sees its own name, and the address that the broker saw', async (t) => {
  const { ask, asked } = await startHouse(t)
  const forged = { 'x-forwarded-for': '10.9.8.7', forwarded: 'for=10.9.8.7', 'x-real-ip': '10.9.8.7', cookie: 'a=b' }
  t.match(await ask(pods, { headers: { ...forged, accept: 'application/json' } }), { status: 200 })
  const [{ headers } = { headers: {} }] = asked
  t.same(headers, {
    host: serverName,
    'x-forwarded-for': '127.0.0.1',
    accept: 'application/json',
    authorization: 'Bearer token-1',
  })
})

t.test('trap 9: a watch that says nothing yet has its headers at once, and each event as it comes', async (t) => {
  const { cluster, open } = await startHouse(t)
  let say = (_: string) => {}
  cluster.answer = (_, response) => {
    response.writeHead(200, { 'content-type': 'application/json' }).flushHeaders()
    say = (text) => void response.write(text)
  }
  const sent = open(`${pods}?watch=true`)
  const [answer] = (await once(sent, 'response')) as [IncomingMessage]
  t.equal(answer.statusCode, 200)
  for (const event of ['{"type":"ADDED"}\n', '{"type":"BOOKMARK"}\n']) {
    say(event)
    const [chunk] = (await once(answer, 'data')) as [Buffer]
    t.equal(chunk.toString(), event)
  }
  sent.destroy()
})

t.test('compressed answers and trailers pass as they came', async (t) => {
  const { cluster, ask, open } = await startHouse(t)
  const zipped = gzipSync('{"items":[]}')
  cluster.answer = (request, response) => {
    t.equal(request.headers['accept-encoding'], 'gzip')
    response.writeHead(200, { 'content-encoding': 'gzip', 'content-type': 'application/json', trailer: 'x-digest' })
    response.write(zipped)
    response.addTrailers({ 'x-digest': 'abc' })
    response.end()
  }
  const [answer] = (await once(open(pods, { headers: { 'accept-encoding': 'gzip' } }), 'response')) as [IncomingMessage]
  const parts: Buffer[] = []
  for await (const part of answer as AsyncIterable<Buffer>) parts.push(part)
  t.same(Buffer.concat(parts), zipped)
  t.equal(answer.headers['content-encoding'], 'gzip')
  t.same(answer.trailers, { 'x-digest': 'abc' })
  cluster.answer = (_, response) =>
    void response.writeHead(200, { warning: '299 - "old"', 'audit-id': 'a-1', 'set-cookie': 'a=b' }).end('{}')
  const { headers } = await ask(pods)
  t.match(headers, { warning: '299 - "old"', 'audit-id': 'a-1' })
  t.notOk(headers['set-cookie'])
})

t.test('100-continue: the client sends its body, and the cluster is not asked to wait', async (t) => {
  const { open, asked, cluster } = await startHouse(t)
  let body = ''
  cluster.answer = (request, response) =>
    void request
      .on('data', (chunk: Buffer) => {
        body += chunk.toString()
      })
      .on('end', () => response.end('{}'))
  const headers = { ...create.headers, expect: '100-continue', 'content-length': String(create.body.length) }
  const sent = open('/api/v1/namespaces/shop/configmaps', { method: 'POST', headers })
  sent.flushHeaders()
  await once(sent, 'continue')
  sent.end(create.body)
  const [answer] = (await once(sent, 'response')) as [IncomingMessage]
  t.equal((await readAnswer(answer)).status, 200)
  t.equal(body, create.body)
  t.notOk(asked[0]?.headers.expect)
})

t.test('an answer before the request has come whole passes, and its connection is not used again', async (t) => {
  const { cluster, open, ask, targets } = await startHouse(t)
  const status = { kind: 'Status', message: 'etcdserver: request is too large' }
  cluster.answer = (_, response) =>
    void response.writeHead(413, { 'content-type': 'application/json' }).end(JSON.stringify(status))
  const sent = open('/api/v1/namespaces/shop/configmaps', {
    method: 'POST',
    headers: { ...create.headers, 'content-length': '3000000' },
  })
  sent.write(Buffer.alloc(100_000, 'x'))
  const [answer] = (await once(sent, 'response')) as [IncomingMessage]
  t.match(await readAnswer(answer), { status: 413, message: 'etcdserver: request is too large' })
  await waitUntil(() => targets.size === 0, 'it is closed')
  sent.on('error', () => {}).destroy()
  cluster.answer = (_, response) => void response.end('{}')
  t.match(await ask(pods), { status: 200 })
})

t.test('what is no answer of HTTP, or too long a head, is a lost connection', async (t) => {
  const { cluster, ask } = await startHouse(t)
  for (const text of [
    'SSH-2.0-OpenSSH_9.2\r\n',
    `HTTP/1.1 200 OK\r\nX-Long: ${'x'.repeat(70_000)}\r\n\r\n`,
    'HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n{}',
    'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n',
  ]) {
    cluster.answer = ({ socket }) => void socket.write(text)
    t.match(
      await ask(pods),
      { status: 502, message: /the connection to the target was lost: its answer is not HTTP/ },
      text.slice(0, 60),
    )
  }
})

t.test('hints before an answer, and answers without a body', async (t) => {
  const { cluster, ask } = await startHouse(t)
  cluster.answer = (_, response) => {
    response.writeEarlyHints({ link: '</x>; rel=preload' })
    response.writeHead(204).end()
  }
  t.match(await ask(pods), { status: 204, body: '' })
  cluster.answer = (_, response) => void response.writeHead(200, { 'content-length': '5' }).end()
  t.match(await ask(pods, { method: 'HEAD' }), { status: 200, headers: { 'content-length': '5' }, body: '' })
  cluster.answer = (_, response) => void response.writeHead(304, { etag: '"x"' }).end()
  t.match(await ask(pods), { status: 304, headers: { etag: '"x"' } })
})

t.test('CVE-2020-8559, CVE-2022-3172: a redirect is not followed and does not go on', async (t) => {
  const { cluster, ask, asked } = await startHouse(t)
  cluster.answer = (_, response) => void response.writeHead(307, { location: 'https://evil.example/' }).end()
  const answer = await ask(pods)
  t.match(answer, { status: 502, message: /answered with a redirect \(307\)/ })
  t.notOk(answer.headers.location)
  t.equal(asked.length, 1)
})

t.test('trap 8, CVE-2018-1002105: an upgrade that nobody asked for leaves no connection to be used', async (t) => {
  const { cluster, ask, targets } = await startHouse(t)
  cluster.answer = ({ socket }) =>
    void socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n')
  t.match(await ask(pods), { status: 502, message: /it left HTTP, which was not asked for/ })
  await waitUntil(() => targets.size === 0, 'it is closed')
})

t.test('discovery noise: what fails is a text that kubectl prints, and 401 never comes from the cluster', async (t) => {
  const { cluster, ask } = await startHouse(t)
  cluster.answer = (_, response) => void response.writeHead(401).end('{}')
  const answer = await ask('/api')
  t.match(answer, { status: 502, headers: { 'content-type': /^text\/plain/ }, body: /does not take the role/ })
})

t.test(
  'grant-end races: a grant that ends while the cluster is being asked for the first time: it gets nothing',
  async (t) => {
    const held = Promise.withResolvers<void>()
    const { ask, asked, cut, seen, leases } = await startHouse(t, {
      lease: async () => {
        await held.promise
        return { user: 'role', secret: 'token', expiresAt: Date.now() + 600_000, ca: authority.cert }
      },
    })
    const answered = ask(pods)
    await waitUntil(() => leases.length === 1, 'the lease is asked for')
    await cut()
    t.match(await answered, { status: 403, message: /incident 42/ })
    held.resolve()
    await waitUntil(() => seen.ends.length === 1, 'the session has ended')
    t.same(asked, [])
  },
)

t.test('secrets in logs: they are in no entry: neither token', async (t) => {
  const { ask, seen } = await startHouse(t)
  await ask(`${pods}?limit=5`)
  await ask('/api/v1/namespaces/shop/configmaps', create)
  t.ok(seen.entries.length >= 4)
  t.notMatch(JSON.stringify(seen.entries), /spt_token|token-1/)
})

t.test('more requests at once than one token may have: 429, and clients try again', async (t) => {
  const { cluster, open, ask } = await startHouse(t)
  let streaming = 0
  cluster.answer = (_, response) => {
    streaming += 1
    response.writeHead(200, { 'content-type': 'application/json' }).flushHeaders()
  }
  const watches = Array.from({ length: 500 }, () => open(`${pods}?watch=true`).on('error', () => {}))
  await waitUntil(() => streaming === 500, 'all are watched', 30_000)
  t.match(await ask(pods), { status: 429, headers: { 'retry-after': /^\d+$/ }, message: /500 requests of this token/ })
  for (const watch of watches) watch.destroy()
  cluster.answer = (_, response) => void response.end('{}')
  await waitUntil(async () => (await ask(pods)).status === 200, 'there is room again')
})
