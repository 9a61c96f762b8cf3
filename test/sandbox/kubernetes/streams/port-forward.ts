import { connect, type Socket } from 'node:net'
import type { RunningPod } from '../pods.ts'
import type { StreamFaults } from './faults.ts'
import type { StreamRecord } from './record.ts'
import type { SpdyConnection, SpdyStream } from './spdy-connection.ts'
import { dataHeader } from './spdy-frames.ts'
import { type AcceptedWebSocket, sendMessage } from './web-sockets.ts'

/**
 * `portforward.k8s.io`: for each connection two streams, whose headers `port` and `requestid` are the same. The error stream gets text
 * when there is something to tell.
 */
export async function forwardOverSpdy(
  open: (onStream: (stream: SpdyStream) => void) => SpdyConnection,
  pod: RunningPod,
  faults: StreamFaults,
  record: StreamRecord,
): Promise<void> {
  const pairs = new Map<string, Partial<Record<string, SpdyStream>>>()
  const sockets = new Set<Socket>()
  const spdy = open((stream) => {
    const id = stream.headers.get('requestid') ?? ''
    const port = stream.headers.get('port') ?? ''
    const pair = pairs.get(id) ?? {}
    const problem = problemOf(stream, pair)
    if (problem !== null) {
      record.violation ??= problem
      stream.destroy()
      return
    }
    pair[stream.streamType] = stream
    pairs.set(id, pair)
    const { error, data } = pair
    if (!error || !data) return
    if (error.headers.get('port') !== port || data.headers.get('port') !== port)
      record.violation ??= 'a pair of two ports'
    record.ports.push(Number(port))
    error.resume()
    const socket = dial(pod, Number(port), (text) => error.write(text))
    sockets.add(socket)
    data.pipe(socket).pipe(data)
    data.once('close', () => {
      if (!data.readableEnded || data.resetStatus !== 0) socket.destroy()
    })
    socket.once('close', () => {
      sockets.delete(socket)
      pairs.delete(id)
      error.end()
      data.end()
      void failAfter(spdy, data.id, faults)
    })
  })
  await spdy.closed
  for (const socket of sockets) socket.destroy()
  record.violation ??= spdy.violation
}

/** Two channels for each port that the query names, data and errors; both begin with the port, 16 bits, the low ones first. */
export async function forwardOverWebSocket(
  { socket: client, protocol }: AcceptedWebSocket,
  ports: readonly number[],
  pod: RunningPod,
  faults: StreamFaults,
  record: StreamRecord,
): Promise<void> {
  const isBase64 = protocol.includes('base64')
  const send = (channel: number, data: Buffer, done: (error?: Error | null) => void = () => {}) => {
    const message = isBase64 ? `${channel}${data.toString('base64')}` : Buffer.concat([Buffer.of(channel), data])
    sendMessage(client, message, faults.fragmentBytes, done)
  }
  const closed = new Promise<void>((resolve) => client.once('close', () => resolve()))
  const sockets = ports.map((port, i) => {
    const prefix = Buffer.alloc(2)
    prefix.writeUInt16LE(port)
    send(2 * i, prefix)
    send(2 * i + 1, prefix)
    record.ports.push(port)
    const socket = dial(pod, port, (text) => send(2 * i + 1, Buffer.from(text)))
    socket.on('data', (data: Buffer) => {
      socket.pause()
      send(2 * i, data, () => socket.resume())
    })
    return socket
  })
  let open = sockets.length
  for (const socket of sockets) {
    socket.once('close', () => {
      open -= 1
      if (open === 0) client.close(1000)
    })
  }
  client.on('message', (message: Buffer) => {
    const channel = (message[0] ?? 0) - (isBase64 ? 0x30 : 0)
    const data = isBase64 ? Buffer.from(message.toString('latin1', 1), 'base64') : message.subarray(1)
    const socket = channel % 2 === 0 ? sockets[channel / 2] : undefined
    if (!socket) record.violation ??= `data on channel ${channel}`
    else if (!socket.write(data)) {
      client.pause()
      socket.once('drain', () => client.resume())
    }
  })
  await closed
  for (const socket of sockets) socket.destroy()
}

/** What kubelets refuse. */
function problemOf({ streamType, headers }: SpdyStream, pair: Partial<Record<string, SpdyStream>>): string | null {
  const port = headers.get('port') ?? ''
  if (!/^[1-9]\d{0,4}$/.test(port) || Number(port) > 65_535) return `the port ${JSON.stringify(port)}`
  if (streamType !== 'error' && streamType !== 'data') return `a stream of the type ${JSON.stringify(streamType)}`
  return pair[streamType] ? `two streams of the type ${streamType} for one request` : null
}

function dial(pod: RunningPod, port: number, tell: (text: string) => void): Socket {
  // Nothing listens at port 1 of loopback.
  const socket = connect({ host: '127.0.0.1', port: pod.ports.get(port) ?? 1, allowHalfOpen: true })
  let isConnected = false
  socket.once('connect', () => {
    isConnected = true
  })
  socket.once('error', ({ message }) => {
    const reason = isConnected
      ? message
      : `failed to connect to localhost:${port} inside namespace "pod", IPv4: dial tcp4 127.0.0.1:${port}: connect: connection refused`
    tell(
      `error forwarding port ${port} to pod ${pod.name}, uid : failed to execute portforward in network namespace "pod": ${reason}`,
    )
  })
  return socket
}

/** The faults that end a whole connection when the first that is forwarded has ended. */
async function failAfter(spdy: SpdyConnection, id: number, { ending }: StreamFaults): Promise<void> {
  if (ending === 'overlong')
    await spdy.send(Buffer.concat([dataHeader(id, 0xff_ffff), Buffer.from('cut')])).catch(() => {})
  if (ending === 'cut' || ending === 'overlong') spdy.cut()
  if (ending === 'reset') spdy.destroy()
}
