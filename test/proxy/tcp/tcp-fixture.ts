/** The engine of streams before a TCP server of the test's own, with a doorman that lets every client in. */
import { once } from 'node:events'
import { createServer as createHttp } from 'node:http'
import { type AddressInfo, createServer, connect as dial, type Socket } from 'node:net'
import type { Test } from 'tap'
import { WebSocket, WebSocketServer } from 'ws'
import type { Reach } from '../../../proxy/reach/reach.ts'
import { Trust } from '../../../proxy/reach/trust.ts'
import type { EngineFacts } from '../../../proxy/session.ts'
import { createTcp } from '../../../proxy/tcp/protocol.ts'
import type { TcpRules } from '../../../proxy/tcp/rules.ts'
import { waitUntil } from '../../wait-until.ts'
import { identity, origin, scriptedDoorman } from '../relay/scripted-doorman.ts'

const instance = 'i-0123456789abcdef0'
const to = { host: 'web.internal', port: 80 }

export interface TcpOptions {
  readonly rules?: Partial<TcpRules>
  readonly engine?: Partial<EngineFacts>
  /** Of the server; an echo by default. */
  serve?(socket: Socket): unknown
  /** Instead of the way to that server. */
  readonly open?: Reach['open']
}

export async function startTcp(t: Test, options: TcpOptions = {}) {
  const accepted: Socket[] = []
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    accepted.push(socket)
    socket.on('error', () => {})
    if (options.serve) options.serve(socket)
    else socket.pipe(socket)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    for (const socket of accepted) socket.destroy()
    server.close()
  })
  const scripted = scriptedDoorman({
    kind: 'ec2-instance',
    engine: () => ({
      address: to,
      serverName: to.host,
      ca: null,
      via: {
        key: null,
        instances: [instance],
        place: { partition: 'aws', account: '111122223333', region: 'eu-west-1' },
        document: 'Sallyport-PortForward',
      },
      ...options.engine,
      rules: { idleTimeoutMs: 0, detail: { forward: 'web.internal:80' }, ...options.rules },
    }),
    lease: () => Promise.reject(new Error('not asked here')),
  })
  const toServer: Reach['open'] = async () => {
    const stream = dial((server.address() as AddressInfo).port, '127.0.0.1')
    await once(stream, 'connect')
    return { stream, address: to, again: () => Promise.reject(new Error('unused')), reset: () => void stream.destroy() }
  }
  const tcp = createTcp({
    host: scripted.host,
    reach: { open: options.open ?? toServer },
    trust: new Trust(),
    onError: (error) => scripted.errors.push(error),
    onRefused: (error) => scripted.errors.push(error),
    now: () => Date.now(),
  })
  const front = createHttp()
  const sockets = new WebSocketServer({ server: front, maxPayload: 1024 * 1024 })
  sockets.on('connection', (socket) => {
    const resourceId = `ec2-instance/111122223333/eu-west-1/${instance}`
    void tcp.serveSocket(socket, { identity, resourceId, client: origin, to })
  })
  front.listen(0, '127.0.0.1')
  await once(front, 'listening')
  t.teardown(() => {
    front.closeAllConnections()
    front.close()
  })
  const { port } = front.address() as AddressInfo
  return { ...scripted, accepted, connect: () => connect(t, port) }
}

async function connect(t: Test, port: number) {
  const socket = new WebSocket(`ws://127.0.0.1:${port}`)
  t.teardown(() => socket.terminate())
  const seen = {
    chunks: [] as Buffer[],
    bytes: 0,
    messages: [] as Record<string, unknown>[],
    closed: undefined as { code: number; reason: string } | undefined,
  }
  socket.on('message', (data: Buffer, isBinary: boolean) => {
    if (!isBinary) return void seen.messages.push(JSON.parse(data.toString()))
    seen.chunks.push(data)
    seen.bytes += data.length
  })
  socket.on('close', (code, reason) => {
    seen.closed = { code, reason: String(reason) }
  })
  await once(socket, 'open')
  return {
    socket,
    seen,
    send: (bytes: Buffer | string) => socket.send(Buffer.from(bytes)),
    gets: (bytes: number) =>
      waitUntil(
        () => seen.bytes >= bytes,
        () => `${seen.bytes} of ${bytes} bytes ${JSON.stringify(seen.messages)}`,
      ),
    text: () => Buffer.concat(seen.chunks).toString(),
    closes: async () => {
      await waitUntil(() => seen.closed !== undefined, 'its websocket is closed')
      return seen.closed
    },
  }
}
