/** Who gets a connection, and when: a carrier that reads its requests itself, or Node's parser. */
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { connect as connectSecurely } from 'node:tls'
import { pino } from 'pino'
import t, { type Test } from 'tap'
import type { EarlyConnection } from '../../../proxy/ports/early-connection.ts'
import { buildApp } from '../../../src/http/app.ts'
import type { OwnPath } from '../../../src/http/own-paths.ts'
import type { IdentityService } from '../../../src/identity/identity.ts'
import { createMetrics } from '../../../src/telemetry/metrics.ts'
import { createAuthority } from '../../sandbox/certificates.ts'
import { waitUntil } from '../../wait-until.ts'

const authority = createAuthority()

/** It answers what contains "early", and leaves all else. */
function carrier() {
  const seen = { times: 0, closed: 0, keepAliveMs: 0, open: 0 }
  const path: OwnPath = {
    path: '/k8s',
    connection: ({ socket, first, handOver, signedIn, keepAliveMs }: EarlyConnection) => {
      seen.keepAliveMs = keepAliveMs
      seen.open += 1
      const take = (bytes: Buffer) => {
        if (bytes.includes('early')) {
          signedIn()
          socket.write('early\r\n')
          return
        }
        socket.off('data', take).off('error', ignore)
        handOver(bytes)
      }
      const ignore = () => {}
      socket.on('data', take).on('error', ignore)
      take(first)
      return {
        checkTime: () => {
          seen.times += 1
        },
        close: () => {
          seen.closed += 1
          socket.end()
        },
      }
    },
    http: async (request, response) => {
      let body = ''
      for await (const chunk of request) body += String(chunk)
      response.end(`${request.method} ${body}`)
    },
    upgrade: async (_request, socket, head) => {
      socket.write(`HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n${head}`)
      socket.on('data', (chunk: Buffer) => void socket.write(chunk)).on('end', () => socket.end())
    },
  }
  return { path, seen }
}

async function start(t: Test, { isTls = false, checkMs = 2000, headersMs = 10_000 } = {}) {
  const { path, seen } = carrier()
  const app = await buildApp({
    identity: { authenticate: async () => null } as unknown as IdentityService,
    logger: pino({ level: 'silent' }),
    metrics: createMetrics(),
    publicUrl: 'http://localhost',
    trustedProxies: [],
    ownPaths: [path],
    deadlines: { connectionsCheckingInterval: checkMs, headersTimeout: headersMs },
    routes: [async (part) => void part.get('/other', { config: { access: 'public' } }, () => 'other')],
    ...(isTls ? { https: authority.issue(['127.0.0.1']) } : {}),
  })
  await app.listen({ host: '127.0.0.1', port: 0 })
  t.teardown(() => app.close())
  const { port } = app.server.address() as { port: number }
  const open = async () => {
    const socket: Socket = isTls
      ? connectSecurely({ host: '127.0.0.1', port, ca: authority.cert })
      : connect({ host: '127.0.0.1', port })
    t.teardown(() => socket.destroy())
    await once(
      socket.on('error', () => {}),
      isTls ? 'secureConnect' : 'connect',
    )
    const client = { got: '', isClosed: false, socket, say: (text: string) => void socket.write(text) }
    socket.on('data', (chunk: Buffer) => {
      client.got += chunk.toString()
    })
    socket.on('close', () => {
      client.isClosed = true
    })
    const shows = (text: string) =>
      waitUntil(
        () => client.got.includes(text),
        () => `${text} in ${client.got}`,
      )
    return Object.assign(client, { shows })
  }
  return { app, seen, open }
}

for (const isTls of [false, true])
  t.test(`a connection changes hands once, for good: ${isTls ? 'TLS' : 'plain'}`, async (t) => {
    const { open, seen } = await start(t, { isTls })
    const changing = await open()
    changing.say('GET /k8s/early HTTP/1.1\r\n\r\n')
    await changing.shows('early\r\n')
    t.equal(seen.keepAliveMs, 72_000)
    const body = 'x'.repeat(200_000)
    changing.say(`POST /k8s/x HTTP/1.1\r\nhost: a\r\ncontent-length: ${body.length}\r\n\r\n${body}`)
    await changing.shows(`POST ${body}`)
    changing.say('GET /k8s/early HTTP/1.1\r\nhost: a\r\n\r\n')
    await changing.shows('GET ')
    t.notMatch(changing.got.slice('early'.length), /early/)

    const upgraded = await open()
    upgraded.say('GET /k8s/early HTTP/1.1\r\n\r\n')
    await upgraded.shows('early\r\n')
    upgraded.say('GET /k8s/x HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: x\r\n\r\nbehind')
    await upgraded.shows('behind')
    upgraded.say('echo')
    await upgraded.shows('echo')

    const other = await open()
    other.say('GET /other HTTP/1.1\r\nhost: a\r\n\r\n')
    await other.shows('other')
    t.equal(seen.open, 2, 'what begins otherwise is the server’s from the start')
  })

t.test(
  'a client that says nothing is told so and closed; those that a carrier has are left to its deadlines',
  async (t) => {
    const { open, seen } = await start(t, { checkMs: 20, headersMs: 100 })
    const early = await open()
    early.say('GET /k8s/early HTTP/1.1\r\n\r\n')
    const silent = await open()
    await waitUntil(() => silent.isClosed)
    t.match(silent.got, /^HTTP\/1\.1 408 /)
    const { times } = seen
    await waitUntil(() => seen.times > times + 1, 'it is called')
    t.notOk(early.isClosed)
    const half = await open()
    half.say('GET /other HTTP')
    await waitUntil(() => half.isClosed)
    t.match(half.got, /^HTTP\/1\.1 408 /)
  },
)

t.test('a server that closes: carriers close theirs, and get no others', async (t) => {
  const { app, open, seen } = await start(t)
  const early = await open()
  early.say('GET /k8s/early HTTP/1.1\r\n\r\n')
  await early.shows('early')
  const silent = await open()
  const closed = app.close()
  await waitUntil(() => early.isClosed)
  t.equal(seen.closed, 1)
  silent.say('GET /k8s/early HTTP/1.1\r\nhost: a\r\n\r\n')
  await silent.shows('GET ')
  t.equal(seen.open, 1)
  await closed
})
