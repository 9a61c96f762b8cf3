import { once } from 'node:events'
import { createConnection, type Socket } from 'node:net'
import t, { type Test } from 'tap'
import { type ConnectionLimits, Connections, limitsFor } from '../../../proxy/ports/connections.ts'
import { type ListenOptions, listenTcp } from '../../../proxy/ports/listener.ts'
import { prefixOf, withoutMapping } from '../../../proxy/ports/source-address.ts'
import type { ClientOrigin } from '../../../proxy/session.ts'
import { waitUntil } from '../../wait-until.ts'

interface Seen {
  readonly socket: Socket
  readonly client: ClientOrigin
  readonly signedIn: () => void
}

async function open(t: Test, limits: Partial<ConnectionLimits> = {}, options: Partial<ListenOptions> = {}) {
  const seen: Seen[] = []
  const turnedAway: string[] = []
  const listener = await listenTcp({
    host: '127.0.0.1',
    port: 0,
    onConnection: (socket, client, signedIn) => seen.push({ socket, client, signedIn }),
    connections: new Connections({
      limits: { ...limitsFor(1000, 10_000), ...limits },
      onTurnedAway: (reason, address) => turnedAway.push(`${reason} ${address}`),
    }),
    onError: (error) => t.fail(error),
    ...options,
  })
  t.teardown(() => {
    listener.close()
    listener.drop()
  })
  return { listener, seen, turnedAway }
}

/** @returns once the port has taken it; `closed` settles when the port closes it */
async function dial(t: Test, port: number, localAddress = '127.0.0.1') {
  const socket = createConnection({ host: '127.0.0.1', port, localAddress })
  socket.on('error', () => {})
  t.teardown(() => socket.destroy())
  const closed = once(socket, 'close')
  await once(socket, 'connect')
  socket.resume()
  return { socket, closed }
}

t.test('a connection comes unread, with where it is from', async (t) => {
  const { listener, seen } = await open(t)
  const { socket } = await dial(t, listener.port)
  await waitUntil(() => seen.length === 1)
  t.strictSame(seen[0]?.client, { address: '127.0.0.1', port: socket.localPort, via: 'listener' })
  t.equal(seen[0]?.socket.readableLength, 0)
  t.equal(listener.openCount, 1)
  socket.destroy()
  await waitUntil(() => listener.openCount === 0)
})

t.test('those who are not signed in are limited; who signs in or leaves makes room', async (t) => {
  const { listener, seen, turnedAway } = await open(t, { waiting: 2 })
  const first = await dial(t, listener.port)
  await dial(t, listener.port)
  await (await dial(t, listener.port)).closed
  t.strictSame(turnedAway, ['too-many-sign-ins 127.0.0.1'])

  seen[0]?.signedIn()
  seen[0]?.signedIn() // counts once
  await dial(t, listener.port)
  await waitUntil(() => seen.length === 3)
  first.socket.destroy() // was signed in: makes no more room
  await waitUntil(() => listener.openCount === 2)
  await (await dial(t, listener.port)).closed
  t.equal(turnedAway.length, 2)

  seen[1]?.socket.destroy()
  await waitUntil(() => listener.openCount === 1)
  await dial(t, listener.port)
  await waitUntil(() => seen.length === 4)
})

t.test('one source does not take the room of the others', async (t) => {
  const { listener, seen, turnedAway } = await open(t, { waitingPerAddress: 1 })
  await dial(t, listener.port)
  await (await dial(t, listener.port)).closed
  t.strictSame(turnedAway, ['too-many-sign-ins-from-address 127.0.0.1'])
  await dial(t, listener.port, '127.0.0.2')
  await waitUntil(() => seen.length === 2)
})

t.test('connections in all are limited', async (t) => {
  const { listener, seen, turnedAway } = await open(t, { total: 1 })
  await dial(t, listener.port)
  await waitUntil(() => seen.length === 1)
  seen[0]?.signedIn()
  await (await dial(t, listener.port)).closed
  t.strictSame(turnedAway, ['too-many-connections 127.0.0.1'])
})

t.test('close stops accepting, and those who are there go on until they are dropped', async (t) => {
  const { listener, seen } = await open(t)
  const { socket, closed } = await dial(t, listener.port)
  await waitUntil(() => seen.length === 1)
  listener.close()
  const late = createConnection({ host: '127.0.0.1', port: listener.port })
  const [error] = (await once(late, 'error')) as [NodeJS.ErrnoException]
  t.equal(error.code, 'ECONNREFUSED')
  seen[0]?.socket.write('still here')
  await once(socket, 'data')
  listener.drop()
  await closed
  await waitUntil(() => listener.openCount === 0)
})

t.test('an error of a socket without a reader is not unhandled', async (t) => {
  const { listener, seen } = await open(t)
  const { socket } = await dial(t, listener.port)
  await waitUntil(() => seen.length === 1)
  seen[0]?.socket.resume()
  socket.resetAndDestroy()
  await waitUntil(() => listener.openCount === 0)
})

t.test('a port that is taken is said to be', async (t) => {
  const { listener } = await open(t)
  await t.rejects(open(t, {}, { port: listener.port }), { code: 'EADDRINUSE' })
})

t.test('one source is an IPv4 address or a /64', async (t) => {
  t.equal(withoutMapping('::ffff:192.0.2.1'), '192.0.2.1')
  for (const one of ['2001:db8::1', '2001:DB8::1', '2001:0db8:0:0:0:0:0:1']) t.equal(withoutMapping(one), '2001:db8::1')
  const cases = {
    '192.0.2.1': '192.0.2.1',
    '2001:db8:1:2:3:4:5:6': '2001:db8:1:2::/64',
    '2001:db8::1': '2001:db8:0:0::/64',
    '2001:db8:0:7::': '2001:db8:0:7::/64',
    '::1': '0:0:0:0::/64',
    'fe80::1%eth0': 'fe80:0:0:0::/64',
  }
  for (const [address, prefix] of Object.entries(cases)) t.equal(prefixOf(address), prefix)
})
