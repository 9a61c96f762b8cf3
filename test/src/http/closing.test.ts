import { once } from 'node:events'
import { type AddressInfo, connect } from 'node:net'
import { Readable } from 'node:stream'
import { connect as connectSecurely } from 'node:tls'
import { pino } from 'pino'
import t from 'tap'
import { WebSocket } from 'ws'
import { ProxyHeaders } from '../../../proxy/ports/proxy-header.ts'
import { buildApp } from '../../../src/http/app.ts'
import type { IdentityService } from '../../../src/identity/identity.ts'
import { createMetrics } from '../../../src/telemetry/metrics.ts'
import { createAuthority } from '../../sandbox/certificates.ts'
import { waitUntil } from '../../wait-until.ts'

/** When `/held` is answered. */
const held = Promise.withResolvers<string>()

async function start({ isTls = false, isBehindBalancer = false } = {}) {
  const app = await buildApp({
    identity: {} as IdentityService,
    logger: pino({ level: 'silent' }),
    metrics: createMetrics(),
    publicUrl: 'http://localhost',
    trustedProxies: [],
    ...(isTls ? { https: createAuthority().issue(['127.0.0.1']) } : {}),
    headers: new ProxyHeaders(
      () => isBehindBalancer,
      () => {},
    ),
    routes: [
      async (part) => {
        const config = { access: 'public' } as const
        part.get('/api/v1/connect/x', { config, websocket: true }, () => {})
        part.get('/held', { config }, () => held.promise)
        part.get('/endless', { config }, (_request, reply) => {
          const lines = new Readable({ read: () => {} })
          lines.push('\n')
          return reply.send(lines)
        })
      },
    ],
  })
  await app.listen({ host: '127.0.0.1', port: 0 })
  const { port } = app.server.address() as AddressInfo
  return { app, port }
}

const clients = {
  'a websocket that does not answer the close': async (port: number) => {
    const socket = new WebSocket(`ws://127.0.0.1:${port}/api/v1/connect/x`)
    socket.on('error', () => {})
    const upgraded = once(socket, 'upgrade')
    await once(socket, 'open')
    const [{ socket: raw }] = (await upgraded) as [{ socket: import('node:net').Socket }]
    raw.pause()
    return () => raw.destroy()
  },
  'a stream that a client follows': async (port: number) => {
    const socket = connect({ host: '127.0.0.1', port }).on('error', () => {})
    socket.write('GET /endless HTTP/1.1\r\nhost: localhost\r\n\r\n')
    await once(socket, 'data')
    return () => socket.destroy()
  },
  'half a request': async (port: number) => {
    const socket = connect({ host: '127.0.0.1', port }).on('error', () => {})
    await new Promise<void>((done) => socket.write('GET /endless HTTP/1.1\r\nhost:', () => done()))
    return () => socket.destroy()
  },
}
t.test('what comes by an open connection while the server closes is answered', async (t) => {
  const { app, port } = await start()
  const socket = connect({ host: '127.0.0.1', port }).on('error', () => {})
  t.teardown(() => socket.destroy())
  let answers = ''
  socket.on('data', (bytes) => {
    answers += bytes.toString()
  })
  const arrived = () => app.server.listening === false
  socket.write('GET /held HTTP/1.1\r\nhost: localhost\r\n\r\n')
  await once(app.server, 'request')
  const closed = app.close()
  await waitUntil(arrived, 'it closes')
  socket.write('GET /held HTTP/1.1\r\nhost: localhost\r\n\r\n')
  await once(app.server, 'request')
  held.resolve('here')
  await Promise.all([closed, once(socket, 'close')])
  t.same(answers.match(/HTTP\/1.1 \d+/g), ['HTTP/1.1 200', 'HTTP/1.1 200'])
})

for (const how of [{ isTls: true }, { isBehindBalancer: true }])
  t.test(`the server closes within seconds of a client that says nothing: ${JSON.stringify(how)}`, async (t) => {
    const { app, port } = await start(how)
    const socket = connect({ host: '127.0.0.1', port }).on('error', () => {})
    t.teardown(() => socket.destroy())
    await once(app.server, 'connection')
    let isClosed = false
    void app.close().then(() => {
      isClosed = true
    })
    await waitUntil(() => isClosed, 'it is closed', 4000)
    t.ok(isClosed)
  })

for (const [name, open] of Object.entries(clients)) {
  t.test(`the server closes within seconds, whatever its clients do: ${name}`, async (t) => {
    const { app, port } = await start()
    t.teardown(await open(port))
    let isClosed = false
    void app.close().then(() => {
      isClosed = true
    })
    await waitUntil(() => isClosed, 'it is closed', 5000)
    t.ok(isClosed)
  })
}

t.test('§8.5, CVE-2023-44487: clients are offered HTTP/1.1 alone', async (t) => {
  const { port, app } = await start({ isTls: true })
  t.teardown(() => app.close())
  const connectTls = async (ALPNProtocols: string[]) => {
    const socket = connectSecurely({ host: '127.0.0.1', port, rejectUnauthorized: false, ALPNProtocols })
    t.teardown(() => socket.destroy())
    await once(socket, 'secureConnect')
    return socket.alpnProtocol
  }
  t.equal(await connectTls(['h2', 'http/1.1']), 'http/1.1')
  await t.rejects(connectTls(['h2']), { code: 'ERR_SSL_TLSV1_ALERT_NO_APPLICATION_PROTOCOL' })
})
