/** B4: connections that say nothing, too many of them, and requests that nothing answers. */
import { EventEmitter, once } from 'node:events'
import { request as httpRequest, type Server } from 'node:http'
import { createConnection, type Socket } from 'node:net'
import t, { type Test } from 'tap'
import { Connections, type ConnectionsOptions, limitsFor } from '../../proxy/ports/connections.ts'
import { listenTcp } from '../../proxy/ports/listener.ts'
import type { AppOptions } from '../../src/http/app.ts'
import { defaultDeadlines, guardConnections } from '../../src/http/connection-guard.ts'
import { serveMetrics } from '../../src/http/metrics-server.ts'
import type { IdentityService } from '../../src/identity/identity.ts'
import type { Login } from '../../src/identity/principal.ts'
import { createMetrics } from '../../src/telemetry/metrics.ts'
import { createAuthority } from '../sandbox/certificates.ts'
import { startListeningApp } from '../src/http/listening-app.ts'
import { waitUntil } from '../wait-until.ts'

const soon = {
  headersTimeout: 300,
  requestTimeout: 400,
  handshakeTimeout: 300,
  keepAliveTimeout: 300,
  connectionsCheckingInterval: 50,
}

/** Bearer tokens are names; `wrong` is nobody's. */
async function startApp(t: Test, options: Partial<AppOptions> = {}) {
  let lookups = 0
  const authenticate = async ({ bearer }: { bearer?: string | undefined }) => {
    if (bearer === undefined) return null
    lookups += 1
    return bearer === 'wrong'
      ? null
      : ({
          principal: { id: bearer },
          roles: ['user'],
          via: 'cli',
          interactive: true,
          scopes: null,
          cidr: null,
        } as unknown as Login)
  }
  const { port } = await startListeningApp(t, {
    identity: { authenticate } as unknown as IdentityService,
    routes: [
      async (part) => {
        part.get('/public', { config: { access: 'public' } }, async () => 'here')
        part.post('/public', { config: { access: 'public' } }, async () => 'here')
        part.get('/mine', { config: { access: 'user' } }, async () => 'yours')
        part.get('/healthz', { config: { access: 'public', rateLimit: false } }, async () => 'ok')
      },
    ],
    ...options,
  })
  const get = (path: string, bearer?: string, localAddress = '127.0.0.1') =>
    new Promise<number>((resolve, reject) => {
      const headers = bearer === undefined ? {} : { authorization: `Bearer ${bearer}` }
      httpRequest({ host: '127.0.0.1', port, path, headers, localAddress, agent: false }, (response) => {
        response.resume()
        resolve(response.statusCode ?? 0)
      })
        .once('error', reject)
        .end()
    })
  return { port, get, lookups: () => lookups }
}

async function dial(t: Test, port: number, localAddress = '127.0.0.1'): Promise<Socket> {
  const socket = createConnection({ host: '127.0.0.1', port, localAddress }).on('error', () => {})
  t.teardown(() => socket.destroy())
  await once(socket, 'connect')
  socket.resume()
  return socket
}

const halfDone = {
  'says nothing': '',
  'stops within the headers': 'GET /public HTTP/1.1\r\nhos',
  'stops within the body':
    'POST /public HTTP/1.1\r\nhost: x\r\ncontent-type: text/plain\r\ncontent-length: 9\r\n\r\nab',
  'has been answered, and stays': 'GET /public HTTP/1.1\r\nhost: x\r\n\r\n',
}
for (const [what, bytes] of Object.entries(halfDone)) {
  t.test(`B4: a client that ${what} is let go`, async (t) => {
    const { port } = await startApp(t, { deadlines: soon })
    const socket = await dial(t, port)
    if (bytes !== '') socket.write(bytes)
    await waitUntil(() => socket.destroyed)
    t.ok(socket.destroyed)
  })
}

t.test('B4: a client that never begins TLS is let go', async (t) => {
  const { port } = await startApp(t, { deadlines: soon, https: createAuthority().issue(['localhost']) })
  const socket = await dial(t, port)
  await waitUntil(() => socket.destroyed)
  t.ok(socket.destroyed)
})

t.test('B4: the deadlines that apply are seconds, for metrics too', async (t) => {
  t.ok(defaultDeadlines.headersTimeout <= 10_000 && defaultDeadlines.handshakeTimeout <= 10_000)
  t.ok(defaultDeadlines.requestTimeout <= 30_000 && defaultDeadlines.connectionsCheckingInterval <= 5000)
  const server = await serveMetrics(createMetrics().registry, { host: '127.0.0.1', port: 0 }, (error) => t.fail(error))
  t.teardown(() => server.close())
  t.equal(server.headersTimeout, defaultDeadlines.headersTimeout)
  t.ok(server.maxConnections <= 100)
})

/** Two ports over the same places. */
async function startPorts(t: Test, options: ConnectionsOptions) {
  const connections = new Connections(options)
  const opened: (() => void)[] = []
  const listener = await listenTcp({
    host: '127.0.0.1',
    port: 0,
    connections,
    onConnection: (socket, _client, signedIn) => {
      socket.resume()
      opened.push(signedIn)
    },
    onError: (error) => t.fail(error),
  })
  t.teardown(() => {
    listener.close()
    listener.drop()
  })
  const app = await startApp(t, { connections })
  return { connections, database: listener.port, opened, ...app }
}

t.test('B4: eight addresses that fill the database port keep no ninth out, nor anybody from HTTP', async (t) => {
  const limits = limitsFor(100, 10_000)
  t.equal(limits.waiting, 8 * limits.waitingPerAddress)
  const { connections, database, get } = await startPorts(t, { limits })
  const flood: Socket[] = []
  for (let address = 2; address < 10; address++) {
    const many = Array.from({ length: limits.waitingPerAddress }, () => dial(t, database, `127.0.0.${address}`))
    flood.push(...(await Promise.all(many)))
  }
  await waitUntil(() => connections.open === limits.waiting)
  const ninth = await dial(t, database, '127.0.0.77')
  await waitUntil(() => flood.filter(({ destroyed }) => destroyed).length === 1)
  t.equal(await get('/public', undefined, '127.0.0.78'), 200, 'the sign-in pages are reached')
  t.notOk(ninth.destroyed)
  t.ok(connections.open <= limits.waiting)
})

t.test('B4: silence does not keep an address from its own sign-ins', async (t) => {
  let now = 0
  const reasons: string[] = []
  const limits = { total: 100, waiting: 100, waitingPerAddress: 2 }
  const { database } = await startPorts(t, { limits, now: () => now, onTurnedAway: (reason) => reasons.push(reason) })
  const silent = [await dial(t, database), await dial(t, database)]
  const hasty = await dial(t, database)
  await waitUntil(() => hasty.destroyed, 'those who have just come are not disturbed')
  now = 5000
  const third = await dial(t, database)
  await waitUntil(() => silent[0]?.destroyed === true)
  t.notOk(third.destroyed)
  t.strictSame(reasons, ['too-many-sign-ins-from-address', 'made-room'])
})

t.test('B4: who has signed in keeps its place, and its address has the first claim on more', async (t) => {
  const { connections, database, opened } = await startPorts(t, {
    limits: { total: 4, waiting: 3, waitingPerAddress: 3 },
    now: () => 0,
  })
  const alice = await dial(t, database, '127.0.0.2')
  await waitUntil(() => opened.length === 1)
  opened[0]?.()
  const strangers: Socket[] = []
  for (const address of ['127.0.0.3', '127.0.0.4', '127.0.0.5']) strangers.push(await dial(t, database, address))
  await waitUntil(() => connections.open === 4)
  const unknown = await dial(t, database, '127.0.0.6')
  await waitUntil(() => unknown.destroyed, 'a stranger finds no room among those who have just come')
  const again = await dial(t, database, '127.0.0.2')
  await waitUntil(() => strangers.some(({ destroyed }) => destroyed))
  t.notOk(again.destroyed)
  t.notOk(alice.destroyed)
})

t.test('B4: a connection that has carried a signed-in request is no stranger', async (t) => {
  const limits = { total: 10, waiting: 1, waitingPerAddress: 1 }
  const { port } = await startPorts(t, { limits, now: () => 1e6 })
  const alice = await dial(t, port, '127.0.0.2')
  alice.write('GET /mine HTTP/1.1\r\nhost: x\r\nauthorization: Bearer alice\r\n\r\n')
  await once(alice, 'data')
  const first = await dial(t, port, '127.0.0.3')
  const second = await dial(t, port, '127.0.0.4')
  await waitUntil(() => first.destroyed || second.destroyed)
  t.notOk(alice.destroyed)
})

t.test('B4: the late end of a connection is not that of the next from the same port', async (t) => {
  const server = new EventEmitter()
  const ends = { remoteAddress: '127.0.0.2', remotePort: 50_000, localAddress: '127.0.0.1', destroyed: false }
  const open = () => Object.assign(new EventEmitter(), ends, { destroy: () => {} }) as unknown as Socket
  const connections = new Connections({ limits: { total: 10, waiting: 1, waitingPerAddress: 1 }, now: () => 0 })
  const { signedIn } = guardConnections(server as unknown as Server, connections)
  const signIn = (socket: Socket) => {
    server.emit('connection', socket)
    signedIn(socket)
  }
  const reset = open()
  signIn(reset)
  const next = open()
  server.emit('connection', next)
  reset.emit('close')
  signedIn(next)
  const stranger = open()
  const turnedAway = t.captureFn(() => {})
  Object.assign(stranger, { remoteAddress: '127.0.0.3', destroy: turnedAway })
  server.emit('connection', stranger)
  t.equal(turnedAway.calls.length, 0, 'who has signed in waits no longer')
  next.emit('close')
  t.equal(connections.open, 1)
})

t.test('B4: a proxy in front speaks for many', async (t) => {
  const limits = { total: 10, waiting: 4, waitingPerAddress: 1 }
  const { connections, database } = await startPorts(t, { limits, isProxy: (address) => address === '127.0.0.9' })
  for (let i = 0; i < 4; i++) await dial(t, database, '127.0.0.9')
  await waitUntil(() => connections.open === 4)
  t.equal(connections.open, 4)
})

t.test('B4: few open files leave a part for each', async (t) => {
  for (const files of [256, 1024, 65_536, Number.POSITIVE_INFINITY]) {
    const { total, waiting, waitingPerAddress } = limitsFor(10_000, files)
    t.ok(waiting + 3 * (total - waiting) <= files, `${files}: a session needs three`)
    t.ok(waitingPerAddress * 8 <= waiting && waiting < total)
  }
})

t.test('B4: unknown paths and wrong tokens have a limit', async (t) => {
  const { get, lookups } = await startApp(t, { rateLimit: 5 })
  for (let i = 0; i < 3; i++) t.equal(await get(`/nothing/${i}`), 404)
  for (let i = 0; i < 2; i++) t.equal(await get('/mine', 'wrong'), 401)
  const before = lookups()
  t.equal(await get('/nothing'), 429)
  t.equal(await get('/mine', 'wrong'), 429)
  t.equal(await get('/mine'), 429)
  t.equal(lookups(), before, 'no token of this address is looked up')
  t.equal(await get('/nothing', undefined, '127.0.0.2'), 404, 'another address has its own')
  t.equal(await get('/healthz'), 200, 'a load balancer goes on')
})

t.test('B4: who is signed in has limits of its own, and goes on where a neighbour is refused', async (t) => {
  const { get } = await startApp(t, { rateLimit: 5 })
  t.equal(await get('/mine', 'bob'), 200)
  for (let i = 0; i < 6; i++) await get('/mine', 'alice')
  t.equal(await get('/mine', 'alice'), 429)
  t.equal(await get('/mine', 'bob'), 200, 'the calls of one are not those of another at the same address')
  t.equal(await get('/mine', 'alice', '127.0.0.2'), 200, 'a thief of her token does not use up her limit elsewhere')
  for (let i = 0; i < 6; i++) await get('/mine', 'wrong')
  t.equal(await get('/mine', 'wrong'), 429)
  t.equal(await get('/mine', 'bob'), 200, 'neither are those of someone who guesses tokens')
})
