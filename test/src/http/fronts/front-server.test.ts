/** The HTTP side of a front: what it passes on, what it keeps back, and what it opens itself. */
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http'
import { BoundSocket, connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pino } from 'pino'
import t, { type Test } from 'tap'
import { WebSocket, WebSocketServer } from 'ws'
import { Connections } from '../../../../proxy/ports/connections.ts'
import { noProxyHeaders } from '../../../../proxy/ports/proxy-header.ts'
import { websocketDuplex } from '../../../../proxy/streams/websocket-stream.ts'
import { startFrontServer } from '../../../../src/http/fronts/front-server.ts'
import { waitUntil } from '../../../wait-until.ts'

type Answer = (incoming: IncomingMessage, response: ServerResponse) => void

async function startFront(t: Test, answer: Answer, trustedProxies: readonly string[] = []) {
  const dir = mkdtempSync(join(tmpdir(), 'sallyport-front-')) // paths of sockets are short
  t.teardown(() => rmSync(dir, { recursive: true }))
  const path = join(dir, 'control')
  const control = createServer((incoming, response) => answer(incoming, response)).listen(path)
  await once(control, 'listening')
  t.teardown(() => control.close().closeAllConnections())
  const bound = new BoundSocket({ host: '127.0.0.1', port: 0 })
  const served: unknown[] = []
  const server = await startFrontServer({
    ...{ fd: bound.fd(), certificate: null, connections: new Connections(), headers: noProxyHeaders, trustedProxies },
    control: { path, secret: 'right' },
    logger: pino({ level: 'silent' }),
    carriers: {
      ...{ protocols: [], terminals: [], own: [], toStream: websocketDuplex },
      streams: [
        {
          name: 'tcp',
          serveSocket: async (socket, known) => {
            served.push(known)
            socket.close(1000, 'served')
            return undefined
          },
        },
      ],
    },
  })
  t.teardown(async () => {
    await server.close()
    bound.close()
  })
  const { port } = bound.address()
  return { port, url: `http://127.0.0.1:${port}`, control, served }
}

const echo: Answer = (incoming, response) => {
  const chunks: Buffer[] = []
  incoming.on('data', (chunk: Buffer) => chunks.push(chunk))
  incoming.on('end', () => {
    const { method, url, headers, rawHeaders } = incoming
    const body = Buffer.concat(chunks).toString()
    response.setHeader('set-cookie', ['a=1', 'b=2'])
    response.setHeader('x-sallyport-signed-in', '1')
    response.end(JSON.stringify({ method, url, headers, cookies: rawHeaders.filter((one) => /^c\d$/.test(one)), body }))
  })
}

/** Bytes as they are. */
async function raw(port: number, text: string): Promise<string> {
  const socket = connect(port, '127.0.0.1')
  let answer = ''
  socket.on('data', (chunk: Buffer) => {
    answer += chunk.toString()
  })
  socket.write(text)
  await once(socket, 'close')
  return answer
}

const bodyOf = (answer: string) => JSON.parse(/\r\n\r\n(\{.*\})/s.exec(answer)?.[1] ?? 'null')

t.test('what only proxies and fronts say is kept back, and the front says it', async (t) => {
  const { port } = await startFront(t, echo)
  const forged = [
    'GET /a?b=%20c HTTP/1.1',
    'Host: broker',
    'X-Forwarded-For: 9.9.9.9',
    'X-Forwarded-Host: evil',
    'Forwarded: for=9.9.9.9',
    'X-Sallyport-Front: guessed',
    'X-Sallyport-Accept: 1',
    'x-sallyport-signed-in: 1',
    'Upgrade: h2c',
    'Keep-Alive: 1',
    'X-Named: 1',
    'X-One: c1',
    'X-One: c2',
    'Connection: close, x-named, host',
  ]
  const answer = await raw(port, `${forged.join('\r\n')}\r\n\r\n`)
  t.notMatch(answer, /signed-in/i)
  t.match(answer, /set-cookie: a=1\r\nset-cookie: b=2/)
  const { headers, ...others } = bodyOf(answer)
  t.same(others, { method: 'GET', url: '/a?b=%20c', cookies: ['c1', 'c2'], body: '' })
  const { connection: _, ...shown } = headers
  t.same(shown, {
    host: 'broker',
    'x-one': 'c1, c2',
    'x-forwarded-for': '127.0.0.1',
    'x-forwarded-proto': 'http',
    'x-sallyport-front': 'right',
  })
})

t.test('behind a balancer that is trusted, its client', async (t) => {
  const { url } = await startFront(t, echo, ['127.0.0.1'])
  const headers = { 'x-forwarded-for': '1.2.3.4, 203.0.113.7' }
  const { headers: shown } = (await (await fetch(url, { headers })).json()) as { headers: Record<string, string> }
  t.equal(shown['x-forwarded-for'], '203.0.113.7')
})

t.test('bodies of every form, one after the other on one connection', async (t) => {
  const { port } = await startFront(t, echo)
  const post = (more: string) => `POST / HTTP/1.1\r\nHost: x\r\n${more}`
  const texts = [
    post('\r\n'),
    post('Content-Length: 3\r\n\r\nabc'),
    post('Transfer-Encoding: chunked\r\n\r\n2\r\nde\r\n0\r\n\r\n'),
    post('Expect: 100-continue\r\nContent-Length: 1\r\nConnection: close\r\n\r\nf'),
  ]
  const answer = await raw(port, texts.join(''))
  t.same(
    [...answer.matchAll(/"body":"(\w*)"/g)].map(([, body]) => body),
    ['', 'abc', 'de', 'f'],
  )
  t.match(bodyOf(answer.slice(0, answer.indexOf('HTTP/1.1', 10))).headers, { 'content-length': '0' })
})

t.test('a client that leaves takes its request along; a control that is gone is said', async (t) => {
  let left = 0
  const { url, port, control } = await startFront(t, (incoming, response) => {
    if (incoming.url !== '/slow') return echo(incoming, response)
    response.write('begun')
    response.once('close', () => {
      left += 1
    })
  })
  const asking = request(`${url}/slow`).on('error', () => {})
  asking.end()
  await once(asking, 'response')
  asking.destroy()
  await waitUntil(() => left === 1, 'the request is given up')
  control.close().closeAllConnections()
  const answer = await raw(port, 'GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n')
  t.match(answer, /^HTTP\/1\.1 503 /)
  t.match(bodyOf(answer), { status: 503, code: 'STORE_UNAVAILABLE' })
  t.match(await raw(port, 'nonsense\r\n\r\n'), /^HTTP\/1\.1 400 /)
})

t.test('a websocket that it carries is asked for first', async (t) => {
  const known = { identity: { principalId: 'prn_1' }, resourceId: 'x' }
  const { url, served } = await startFront(t, (incoming, response) => {
    const isAsked = incoming.headers['x-sallyport-accept'] === '1' && incoming.headers.upgrade === 'websocket'
    const isAllowed = isAsked && incoming.headers.authorization === 'Bearer good'
    if (isAllowed) response.end(JSON.stringify({ what: 'stream', name: 'tcp', known }))
    else response.writeHead(401, { 'content-type': 'application/problem+json' }).end('{"code":"LOGIN_REQUIRED"}')
  })
  const at = `${url.replace('http', 'ws')}/api/v1/connect/tcp?resource=x`
  const open = new WebSocket(at, { headers: { authorization: 'Bearer good' } })
  const [code, reason] = await once(open, 'close')
  t.same([code, String(reason)], [1000, 'served'])
  t.same(served, [known])
  const refused = new WebSocket(at, { headers: { authorization: 'Bearer bad', 'x-sallyport-accept': '1' } })
  const [, answer] = (await once(refused, 'unexpected-response')) as [unknown, IncomingMessage]
  t.equal(answer.statusCode, 401)
  t.match(await text(answer), /LOGIN_REQUIRED/)
  t.equal(served.length, 1)
})

t.test('any other websocket has its other end at control', async (t) => {
  const { url, control } = await startFront(t, echo)
  const other = new WebSocketServer({ noServer: true })
  const secrets: unknown[] = []
  control.on('upgrade', (incoming, socket, head) => {
    secrets.push(incoming.headers['x-sallyport-front'])
    other.handleUpgrade(incoming, socket, head, (websocket) => {
      websocket.on('message', (data) => websocket.send(`heard ${String(data)}`))
    })
  })
  const live = new WebSocket(`${url.replace('http', 'ws')}/api/v1/live`)
  await once(live, 'open')
  live.send('hello')
  t.equal(String((await once(live, 'message'))[0]), 'heard hello')
  live.close(1000)
  t.equal((await once(live, 'close'))[0], 1000)
  t.same(secrets, ['right'])
})

async function text(answer: IncomingMessage): Promise<string> {
  let whole = ''
  for await (const chunk of answer) whole += String(chunk)
  return whole
}
