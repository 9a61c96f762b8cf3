import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import { listen } from '../ports/listen.ts'
import { BrokerError } from '../session.ts'
import type { BrokerStream, StreamEnd } from './stream-socket.ts'

/** A port on this machine whose connections lead through an instance, each by a session of its own. */
export interface ForwardPort {
  readonly port: number
  /** Takes no more connections, and drops those that are open. */
  close(): Promise<void>
}

export interface ForwardOptions {
  /** 0: any free one. */
  readonly port: number
  /** Opens what a connection is joined to. @param signal aborted when it has gone */
  open(signal: AbortSignal): Promise<BrokerStream>
  /** A connection was refused by the broker, or failed on the way; it is dropped. */
  onFailure(error: BrokerError): void
  /** The session of a connection was cut. */
  onCut(reason: string): void
}

const maxConnections = 256
/** A client that has sent all it wants may still read; for so long after the last byte. */
const halfClosedMs = 60_000

/** Listens on loopback only. @throws NodeJS.ErrnoException EADDRINUSE … */
export async function openForwardPort(options: ForwardOptions): Promise<ForwardPort> {
  const clients = new Set<Socket>()
  const settings = { allowHalfOpen: true, noDelay: true, keepAlive: true, keepAliveInitialDelay: 30_000 }
  const server = createServer(settings, (socket) => {
    clients.add(socket)
    socket.once('close', () => clients.delete(socket))
    socket.on('error', () => {}) // followed by `close`
    void serve(socket, options)
  })
  server.maxConnections = maxConnections
  const onError = (cause: Error) => options.onFailure(new BrokerError('TOO_MANY_SESSIONS', cause.message, { cause }))
  await listen(server, { host: '127.0.0.1', port: options.port, exclusive: true }, onError)
  return { port: (server.address() as AddressInfo).port, close: () => close(server, clients) }
}

async function serve(socket: Socket, options: ForwardOptions): Promise<void> {
  const gone = new AbortController()
  socket.once('close', () => gone.abort())
  try {
    const opened = await options.open(gone.signal)
    const end = await join(socket, opened)
    if (end.how === 'closed') socket.end()
    else socket.resetAndDestroy() // not to be taken for the end of what was sent
    if (end.how === 'cut') options.onCut(end.reason)
    if (end.how === 'failed') options.onFailure(end.error)
  } catch (error) {
    socket.resetAndDestroy()
    if (gone.signal.aborted) return
    options.onFailure(error instanceof BrokerError ? error : new BrokerError('INTERNAL', String(error)))
  }
}

/** Carries bytes both ways until one side closes. */
async function join(socket: Socket, { stream, ended, leave }: BrokerStream): Promise<StreamEnd> {
  let waiting: NodeJS.Timeout | undefined
  const onEnd = () => {
    waiting = setTimeout(leave, halfClosedMs)
  }
  socket.once('close', leave)
  if (socket.destroyed) leave()
  socket.once('end', onEnd)
  socket.pipe(stream, { end: false })
  stream.pipe(socket, { end: false })
  stream.on('data', () => waiting?.refresh())
  const { promise, resolve } = Promise.withResolvers<void>()
  stream.once('end', resolve).once('close', resolve)
  await promise
  socket.off('end', onEnd) // an answer to the end of the stream: a timer would keep the process from ending
  clearTimeout(waiting)
  return await ended
}

async function close(server: Server, clients: ReadonlySet<Socket>): Promise<void> {
  for (const socket of clients) socket.destroy()
  await new Promise((resolve) => server.close(resolve))
}
