/** When a data channel opens another websocket, how soon, and when it gives up. */
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import t, { type Test } from 'tap'
import type { WebSocket } from 'ws'
import { BrokerError } from '../../../proxy/session.ts'
import type { ChannelEnd, ChannelListener, ChannelOptions } from '../../../proxy/ssm/channel.ts'
import { ChannelStream } from '../../../proxy/ssm/channel-stream.ts'
import { DataChannel } from '../../../proxy/ssm/data-channel.ts'
import { waitUntil } from '../../wait-until.ts'
import { dataMessage, ignoring, serviceMessage, startHostileGateway } from './hostile-gateway.ts'

function openChannel(t: Test, options: ChannelOptions, listener: Partial<ChannelListener> = {}) {
  const ended = Promise.withResolvers<ChannelEnd>()
  const channel = new DataChannel(options, { ...ignoring, ...listener, ended: ended.resolve })
  t.teardown(() => channel.destroy())
  return { channel, ended: ended.promise }
}

for (const [name, serve] of [
  ['closed after one message', (socket: WebSocket) => socket.send(serviceMessage('start_publication'))],
  ['closed at once', () => {}],
] as const)
  t.test(`websockets that are ${name}: the channel retries ever less often, then gives up`, async (t) => {
    const { ticket, counts } = await startHostileGateway(t, (socket) => {
      serve(socket)
      socket.close(1000)
    })
    const { ended } = openChannel(t, { ticket, resumeMs: 500 })
    t.match(await ended, { reason: 'failed', error: { code: 'TARGET_LOST' } })
    t.ok(counts.tickets > 1 && counts.tickets < 6, `${counts.tickets} tickets`)
  })

t.test('a message that is too large ends the channel: it would come again', async (t) => {
  const { ticket, counts } = await startHostileGateway(t, (socket) => socket.send(Buffer.alloc(200_000)))
  const { ended } = openChannel(t, { ticket })
  t.match(await ended, { reason: 'failed', error: { code: 'TARGET_LOST', message: /violated/ } })
  t.equal(counts.tickets, 1)
})

t.test('a connection that was stable and silent is retried for the whole time again', async (t) => {
  const sockets: WebSocket[] = []
  const { ticket, counts } = await startHostileGateway(t, (socket, count) => {
    sockets.push(socket)
    if (count === 1) socket.send(dataMessage(0, 1, 'prompt'))
  })
  let isDown = false
  const flaky: ChannelOptions['ticket'] = (signal) => {
    if (!isDown) return ticket(signal)
    isDown = false
    return Promise.reject(new BrokerError('AWS_UNAVAILABLE'))
  }
  const options = { ticket: flaky, resumeMs: 400, stableMs: 50, readyMs: 60_000 }
  const { ended } = openChannel(t, options)
  await waitUntil(() => sockets.length === 1, 'it has begun')
  const lostAt = performance.now()
  sockets[0]?.terminate()
  await waitUntil(() => sockets.length === 2 && performance.now() - lostAt > 500, 'it is back for long')
  isDown = true
  sockets[1]?.terminate()
  await waitUntil(() => counts.opened === 3, 'it is back again')
  sockets[2]?.send(serviceMessage('unknown'))
  t.equal(await Promise.race([ended, Promise.resolve('alive')]), 'alive')
})

t.test('what is asked for again: what AWS or the identity provider cannot give now, and nothing else', async (t) => {
  const { ticket } = await startHostileGateway(t, (socket) => socket.send(dataMessage(0, 1, 'prompt')))
  let asked = 0
  const begun = Promise.withResolvers<void>()
  const provider: ChannelOptions['ticket'] = (signal) => {
    asked += 1
    return asked === 1 ? Promise.reject(new BrokerError('PROVIDER_UNAVAILABLE')) : ticket(signal)
  }
  openChannel(t, { ticket: provider }, { ready: () => begun.resolve() })
  await begun.promise
  t.equal(asked, 2)
  const { ended } = openChannel(t, { ticket: () => Promise.reject(new TypeError('a fault of ours')) })
  t.match(await ended, { reason: 'failed', error: { cause: { message: 'a fault of ours' } } })
})

t.test('a listener that throws when the connection is lost or back ends its channel alone', async (t) => {
  for (const when of [true, false]) {
    const { ticket, counts } = await startHostileGateway(t, (socket, count) => {
      socket.send(dataMessage(0, 1, 'prompt'))
      if (count === 1) socket.close(1000, 'Bye')
    })
    const away = (isAway: boolean) => {
      if (isAway === when) throw new Error('a fault of the listener')
    }
    const { ended } = openChannel(t, { ticket }, { away })
    t.match(await ended, { reason: 'failed', error: { cause: { message: 'a fault of the listener' } } })
    t.equal(counts.opened, when ? 1 : 2)
  }
})

t.test('what waits to be written is sent although the agent began together with the upgrade', async (t) => {
  let received = 0
  const first = dataMessage(0, 1, '$')
  const server = createServer().on('upgrade', (request, socket) => {
    const key = createHash('sha1').update(`${request.headers['sec-websocket-key']}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`)
    const head = `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${key.digest('base64')}\r\n\r\n`
    socket
      .on('error', () => {})
      .on('data', (data: Buffer) => {
        received += data.length
      })
    // One chunk: a binary frame that is not fragmented follows.
    socket.write(Buffer.concat([Buffer.from(head), Buffer.from([0x82, first.length]), first]))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => server.close())
  const url = `ws://127.0.0.1:${(server.address() as AddressInfo).port}`
  const stream = new ChannelStream({ ticket: async () => ({ url, token: 'token', headers: {} }) })
  t.teardown(() => stream.destroy())
  stream.write(Buffer.alloc(100_000))
  await waitUntil(() => received > 100_000, 'all has arrived')
})

t.test('a gateway that sends and takes nothing is not read on, and is left', async (t) => {
  const { ticket, counts } = await startHostileGateway(t, (socket, count) => {
    if (count > 1) return
    ;(socket as unknown as { _socket: Socket })._socket.pause()
    let sequence = 0
    const flood = () => {
      if (socket.readyState !== socket.OPEN) return
      for (let i = 0; i < 500; i += 1, sequence += 1) socket.send(dataMessage(sequence, 1, 'x'))
      if (sequence < 100_000) setImmediate(flood)
    }
    flood()
  })
  const received = { count: 0 }
  const data = () => {
    received.count += 1
    return true
  }
  openChannel(t, { ticket, pingMs: 200 }, { data })
  await waitUntil(() => counts.opened === 2, 'another connection was opened', 60_000)
  t.ok(received.count < 60_000, `${received.count} messages were read`)
})

t.test('a start_publication that is lost: after a while what waits is sent all the same', async (t) => {
  let received = ''
  const { ticket } = await startHostileGateway(t, (socket) => {
    socket.on('message', (bytes: Buffer) => {
      received += bytes.toString('latin1')
    })
    socket.send(dataMessage(0, 1, '$'))
    socket.send(serviceMessage('pause_publication'))
  })
  const away: boolean[] = []
  const { channel } = openChannel(t, { ticket, resumeMs: 300 }, { away: (isAway) => away.push(isAway) })
  await waitUntil(() => away.length === 1, 'it is away')
  channel.send(1, Buffer.from('typed'))
  t.notMatch(received, /typed/)
  await waitUntil(() => received.includes('typed'), 'it was sent')
  t.same(away, [true, false])
})
