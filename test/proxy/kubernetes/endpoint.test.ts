/** What an API server answers, or does not, and what clients get of it. */
import { once } from 'node:events'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { Readable } from 'node:stream'
import t from 'tap'
import { createAuthority } from '../../sandbox/certificates.ts'
import { waitUntil } from '../../wait-until.ts'
import { authority, prefix, readAnswer, startHouse, unreachable } from './endpoint-house.ts'

/** Of `.ci/long`. */
const isLongRun = process.env.SALLYPORT_LONG === 'true'
if (isLongRun) t.setTimeout(600_000)
const pods = '/api/v1/namespaces/shop/pods'
const configMap = JSON.stringify({ kind: 'ConfigMap', data: { colour: 'blue' } })
const create = { method: 'POST', body: configMap, headers: { 'content-type': 'application/json' } }

const answering = (status: number) => (_: IncomingMessage, response: ServerResponse) =>
  void response.writeHead(status).end('{}')

/** Takes no token but this. */
const taking = (token: string) => (request: IncomingMessage, response: ServerResponse) =>
  void response.writeHead(request.headers.authorization === `Bearer ${token}` ? 200 : 401).end('{}')

t.test('a token that the cluster does not take: once more with another, where there is no body', async (t) => {
  const { cluster, ask, asked, leases } = await startHouse(t)
  cluster.answer = taking('token-2')
  t.match(await ask(pods), { status: 200 })
  t.match(await ask(`${pods}/web-1`, { method: 'DELETE', headers: { 'content-length': '0' } }), { status: 200 })
  t.same(
    asked.map(({ method, token }) => `${method} ${token}`),
    ['GET token-1', 'GET token-2', 'DELETE token-2'],
  )
  t.same(leases, [undefined, { secret: 'token-1' }])
})

t.test('with a body it is not sent again; the next request has the new token', async (t) => {
  const { cluster, ask, asked } = await startHouse(t)
  cluster.answer = taking('token-2')
  const refused = await ask('/api/v1/namespaces/shop/configmaps', create)
  t.match(refused, { status: 502, message: /no longer took the token, which has been renewed. Try again/ })
  t.match(await ask('/api/v1/namespaces/shop/configmaps', create), { status: 200 })
  t.equal(asked.length, 2)
})

t.test('refused with the new token too: 502 and what to look for, never 401', async (t) => {
  const { cluster, ask, asked, seen } = await startHouse(t)
  cluster.answer = answering(401)
  const answer = await ask(pods)
  t.match(answer, {
    status: 502,
    message: /Sallyport: the target refused the broker: the cluster does not take the role .*access entry/,
  })
  t.equal(asked.length, 2)
  t.match(seen.entries.at(-1), { type: 'response', status: null, cut: /does not take the role/ })
})

t.test('where another token would be no better it is asked once', async (t) => {
  const lease = { user: 'role', secret: 'the only one', expiresAt: Date.now() + 600_000, ca: authority.cert }
  const { cluster, ask, asked } = await startHouse(t, { lease: async () => lease })
  cluster.answer = answering(401)
  t.match(await ask(pods), { status: 502, message: /does not take the role/ })
  t.equal(asked.length, 1)
})

t.test('§8.10: a hundred requests at once ask for one lease, and for one more when it is refused', async (t) => {
  const { cluster, ask, leases } = await startHouse(t)
  const hundred = async () => await Promise.all(Array.from({ length: 100 }, () => ask(pods)))
  t.ok((await hundred()).every(({ status }) => status === 200))
  t.same(leases, [undefined])
  cluster.answer = taking('token-2')
  t.ok((await hundred()).every(({ status }) => status === 200))
  t.same(leases, [undefined, { secret: 'token-1' }])
})

t.test('§8.3: a token that expires amid a watch: it goes on, and the next request has a fresh one', async (t) => {
  let made = 0
  const lease = async () => {
    made += 1
    const expiresAt = made === 1 ? Date.now() : Date.now() + 600_000
    return { user: 'role', secret: `token-${made}`, expiresAt, ca: authority.cert }
  }
  const { cluster, ask, asked, open } = await startHouse(t, { lease })
  let watch: ServerResponse | undefined
  cluster.answer = (_, response) => {
    watch = response
    response.writeHead(200, { 'content-type': 'application/json;stream=watch' }).write('{"type":"ADDED"}\n')
  }
  const [answer] = (await once(open(`${pods}?watch=true`), 'response')) as [IncomingMessage]
  const all = readAnswer(answer)
  await waitUntil(() => watch !== undefined, 'the watch runs')
  const running = watch
  cluster.answer = answering(200)
  t.match(await ask(pods), { status: 200 })
  running?.end('{"type":"MODIFIED"}\n')
  t.match(await all, { status: 200, body: '{"type":"ADDED"}\n{"type":"MODIFIED"}\n' })
  const [first, second] = asked.map(({ token }) => token)
  t.not(first, second)
})

t.test('a kept connection that is dead: a read goes by a new one, a change does not', async (t) => {
  const { cluster, ask, asked, connections } = await startHouse(t)
  await ask(pods)
  const dieOnce = () => {
    cluster.answer = (request) => {
      cluster.answer = answering(200)
      request.socket.destroy()
    }
  }
  dieOnce()
  t.match(await ask(pods), { status: 200 })
  t.equal(connections(), 2)
  dieOnce()
  const lost = await ask('/api/v1/namespaces/shop/configmaps', create)
  t.match(lost, { status: 502, message: /connection to the target was lost: .*The change may have been made/ })
  t.equal(asked.length, 4)
  cluster.answer = (request) => void request.socket.destroy()
  t.match(await ask(pods), { status: 502, message: /was lost: the cluster had not answered$/ }, 'a new one, that died')
  t.equal(asked.length, 5)
})

t.test('§8.3: a token for another cluster is refused, and that is on record', async (t) => {
  const { seen, asked, openAt } = await startHouse(t)
  const [answer] = await once(openAt('/k8s/111122223333/eu-west-1/ledger/version'), 'response')
  t.match(await readAnswer(answer), { status: 403, message: /the token is for another resource/ })
  t.same(seen.unidentified, ['GRANT_DENIED'])
  t.same([seen.asks, asked], [[], []])
})

t.test('429 with Retry-After passes as it came', async (t) => {
  const { cluster, ask } = await startHouse(t)
  const body = JSON.stringify({ kind: 'Status', reason: 'TooManyRequests', message: 'slow down' })
  cluster.answer = (_, response) =>
    void response.writeHead(429, { 'retry-after': '7', 'content-type': 'application/json' }).end(body)
  const answer = await ask(pods)
  t.match(answer, { status: 429, headers: { 'retry-after': '7' } })
  t.equal(answer.body, body)
})

t.test('a cluster whose certificate authority changed: AWS is asked once, and once more', async (t) => {
  const old = createAuthority('before')
  let made = 0
  const lease = async () => {
    made += 1
    const ca = made === 1 ? old.cert : authority.cert
    return { user: 'role', secret: 'token', expiresAt: Date.now() + 600_000, ca }
  }
  const { ask, leases } = await startHouse(t, { lease })
  t.match(await ask(pods), { status: 200 })
  t.same(leases, [undefined, { ca: old.cert }])
})

t.test('one that AWS does not know either is refused in words, and gets no token', async (t) => {
  const other = createAuthority('another')
  const lease = { user: 'role', secret: 'token', expiresAt: Date.now() + 600_000, ca: other.cert }
  const { ask, asked } = await startHouse(t, { lease: async () => lease })
  t.match(await ask(pods), { status: 502, message: /the identity of the target could not be verified/ })
  t.same(asked, [])
})

t.test('a cluster that is gone: what AWS says of it', async (t) => {
  const gone = unreachable('there is no cluster web in eu-west-1')
  const { ask } = await startHouse(t, {
    engine: { address: { host: '127.0.0.1', port: 1 } },
    lease: async (failed) => {
      if (failed) throw gone
      return { user: 'role', secret: 'token', expiresAt: Date.now() + 600_000, ca: authority.cert }
    },
  })
  t.match(await ask(pods), { status: 502, message: /there is no cluster web in eu-west-1/ })
})

t.test('an answer that the cluster breaks off does not look whole', async (t) => {
  const { cluster, ask, seen } = await startHouse(t)
  for (const headers of [{ 'content-length': '100' }, { 'transfer-encoding': 'chunked' }] as const) {
    cluster.answer = (_, response) => {
      response.writeHead(200, headers)
      response.write('{"items":[', () => response.socket?.end())
    }
    await t.rejects(ask(pods), { code: 'ECONNRESET' })
    await waitUntil(() => seen.entries.at(-1)?.type === 'response', 'it is recorded')
    t.match(seen.entries.at(-1), { status: 200, bytesDown: 10, cut: 'the connection to the cluster was lost' })
  }
})

t.test('a list of 200 MB, or of 3 GB: what the client does not read is not held', async (t) => {
  const { cluster, open } = await startHouse(t)
  const chunk = Buffer.alloc(65_536, 'x')
  const chunks = isLongRun ? 49_152 : 3200
  let made = 0
  const list = function* () {
    for (; made < chunks; made += 1) yield chunk
  }
  cluster.answer = (_, response) => void Readable.from(list(), { highWaterMark: 1 }).pipe(response)
  const [answer] = (await once(open(pods), 'response')) as [IncomingMessage]
  let before = -1
  // Until all that holds something on the way is full.
  await waitUntil(
    () => {
      const isStill = made > 0 && made === before
      before = made
      return isStill
    },
    'the cluster is made to wait',
    10_000,
    200,
  )
  t.ok(made < 400, `${made} of ${chunks} chunks are on their way`)
  let bytes = 0
  for await (const part of answer as AsyncIterable<Buffer>) bytes += part.length
  t.equal(bytes, chunks * chunk.length)
})

t.test('request smuggling: what servers could take for two requests, or for another', async (t) => {
  const { raw, asked, ask } = await startHouse(t)
  const head = (...lines: string[]) =>
    [`POST ${prefix}${pods} HTTP/1.1`, 'Host: broker', 'Authorization: Bearer spt_token', ...lines, '', ''].join('\r\n')
  const smuggled = `GET ${prefix}/api/v1/secrets HTTP/1.1\r\nHost: broker\r\n\r\n`
  for (const [what, text] of [
    ['two lengths', head('Content-Length: 2', 'Content-Length: 40') + smuggled],
    ['a length and chunks', `${head('Content-Length: 2', 'Transfer-Encoding: chunked')}0\r\n\r\n${smuggled}`],
    ['chunks twice', `${head('Transfer-Encoding: chunked', 'Transfer-Encoding: chunked')}0\r\n\r\n${smuggled}`],
    ['another coding', `${head('Transfer-Encoding: gzip, chunked')}0\r\n\r\n${smuggled}`],
    ['a length with a sign', `${head('Content-Length: +2')}{}${smuggled}`],
    ['a folded header', head('X-One: 1', ' Content-Length: 40') + smuggled],
    ['blanks before the colon', head('Content-Length : 40') + smuggled],
    ['an upgrade to something else', head('Connection: Upgrade', 'Upgrade: h2c', 'Content-Length: 0')],
  ] as const) {
    const got = await raw(text)
    t.match(got, /^HTTP\/1\.1 400 /, what)
    t.notMatch(got, /200 OK/, what)
  }
  t.same(asked, [], 'the cluster saw none')
  const inBody = await ask('/api/v1/namespaces/shop/configmaps', { ...create, body: smuggled })
  t.match(inBody, { status: 200 })
  t.match(asked, [{ method: 'POST' }], 'in a body it is a body')
  const withBody = { method: 'GET', body: smuggled, headers: { 'content-length': String(smuggled.length) } }
  t.match(await ask(pods, withBody), { status: 400, message: /a request that reads has no body/ })
  t.equal(asked.length, 1)
})

t.test(
  'a grant that ends in the middle of an apply: the client is told, the cluster is left, it is recorded',
  async (t) => {
    const { cluster, open, cut, seen, targets } = await startHouse(t)
    let got = 0
    cluster.answer = (request) =>
      void request
        .on('error', () => {})
        .on('data', (chunk: Buffer) => {
          got += chunk.length
        })
    const headers = { 'content-type': 'application/apply-patch+yaml', 'content-length': '5000' }
    const sent = open('/api/v1/namespaces/shop/configmaps/settings', { method: 'PATCH', headers })
    sent.write('x'.repeat(2000))
    const answered = once(sent, 'response')
    await waitUntil(() => got === 2000, 'the cluster has some of it')
    await cut()
    const [answer] = (await answered) as [IncomingMessage]
    t.match(await readAnswer(answer), {
      status: 403,
      message: /access was revoked by bob@example.com: incident 42. The change may have been made/,
    })
    await waitUntil(() => targets.size === 0, 'the cluster is left')
    t.match(seen.entries, [
      { type: 'request', verb: 'patch', resource: 'configmaps', name: 'settings' },
      { type: 'response', status: null, bytesUp: 2000, cut: /incident 42/ },
    ])
    await waitUntil(() => seen.ends.length === 1, 'the session has ended')
    t.match(seen.ends, [{ reason: 'grant-revoked', bytesUp: 2000 }])
  },
)
