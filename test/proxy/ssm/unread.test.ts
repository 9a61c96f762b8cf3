/** What is received and not read is bounded by what it costs, not only by its bytes. */
import { type Duplex, Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import t, { type Test } from 'tap'
import type { WebSocket } from 'ws'
import { ChannelStream } from '../../../proxy/ssm/channel-stream.ts'
import { ReceiveBuffer } from '../../../proxy/ssm/receive-buffer.ts'
import { type PortOptions, PortSession } from '../../../proxy/ssm/smux-session.ts'
import { waitUntil } from '../../wait-until.ts'
import { dataMessage, portHandshake, startHostileGateway } from './hostile-gateway.ts'

function receiveBuffer(mostBytes: number) {
  const stream: Readable = new Readable({ highWaterMark: 0, read: () => received.wanted() })
  const received = new ReceiveBuffer(stream, mostBytes)
  return { stream, received }
}

t.test('each part counts with what it costs, and keeps nothing of what it came with', async (t) => {
  const { stream, received } = receiveBuffer(10_000)
  const chunk = Buffer.alloc(65_536, 'x')
  let parts = 0
  while (!received.isFull) {
    received.add(chunk.subarray(parts, parts + 1))
    parts += 1
  }
  t.equal(parts, 39)
  received.end()
  received.add(chunk)
  const [read] = (await stream.toArray()) as [Buffer]
  t.equal(read.length, parts)
  t.ok(read.buffer.byteLength < chunk.length, 'a copy')
  t.equal(received.heldBytes, 0)
})

t.test('chunks for the reader are of bounded size, in order, and end', async (t) => {
  const { stream, received } = receiveBuffer(1)
  const parts = [Buffer.alloc(40_000, 1), Buffer.alloc(30_000, 2), Buffer.alloc(100_000, 3), Buffer.alloc(5, 4)]
  for (const part of parts) received.add(part)
  received.end()
  const chunks = (await stream.toArray()) as Buffer[]
  t.same(
    chunks.map(({ length }) => length),
    [40_000, 30_000, 100_000, 5],
  )
  t.same(Buffer.concat(chunks), Buffer.concat(parts))
  const empty = receiveBuffer(1)
  empty.received.end()
  t.equal((await buffer(empty.stream)).length, 0)
})

const closing = (stream: Duplex) => new Promise<void>((resolve) => void stream.once('close', resolve))

/** Frames of one byte, for these streams in turn. */
function flood(socket: WebSocket, streams: readonly number[], count: number): void {
  const frames: Buffer[] = []
  for (let at = 0; at < count; at += 1) {
    const frame = Buffer.from([1, 2, 1, 0, 0, 0, 0, 0, 0x78])
    frame.writeUInt32LE(streams[at % streams.length] ?? 0, 4)
    frames.push(frame)
  }
  socket.send(dataMessage(2, 1, Buffer.concat(frames)))
}

async function openPort(t: Test, options: Partial<PortOptions>) {
  const sockets: WebSocket[] = []
  const { ticket } = await startHostileGateway(t, (socket) => {
    sockets.push(socket)
    portHandshake(socket)
  })
  const port = new PortSession({ ticket, expected: {}, ...options })
  t.teardown(() => port.close())
  const open = async (): Promise<Duplex> => (await port.open()).on('error', () => {})
  const streams = [await open(), await open()] as const
  const [socket] = sockets
  if (!socket) throw new Error('the client is not there')
  return { port, streams, socket }
}

t.test('a stream that is sent frames of one byte is reset before they cost more than its limit', async (t) => {
  const { streams, socket, port } = await openPort(t, { unreadBytes: 64 * 1024 })
  const closed = closing(streams[0])
  flood(socket, [3], 300)
  await closed
  t.match(streams[0].errored, { message: /unread/ })
  t.equal(port.size, 1)
})

t.test('streams that are not read are bounded together: the one that holds the most is reset', async (t) => {
  const { streams, socket } = await openPort(t, { sessionUnreadBytes: 64 * 1024 })
  const closed = closing(streams[0])
  flood(socket, [3, 3, 5], 300)
  await closed
  t.match(streams[0].errored, { message: /unread/ })
  t.notOk(streams[1].destroyed)
  streams[1].destroy()
})

t.test('output of one byte a message that is not read holds the agent back', async (t) => {
  let acknowledged = 0
  const { ticket } = await startHostileGateway(t, (opened) => {
    opened.on('message', () => {
      acknowledged += 1
    })
    for (let at = 0; at < 4000; at += 1) opened.send(dataMessage(at, 1, 'x'))
  })
  const stream = new ChannelStream({ ticket })
  t.teardown(() => stream.destroy())
  await waitUntil(() => acknowledged > 200, 'it takes some')
  let before = -1
  await waitUntil(
    () => {
      const isStill = before === acknowledged
      before = acknowledged
      return isStill
    },
    'it takes no more',
    10_000,
    300,
  )
  t.ok(acknowledged < 2000, `${acknowledged} were taken`)
  stream.resume()
  await waitUntil(() => acknowledged === 4000, 'it goes on')
})
