import type { Server } from 'node:http'
import type { Socket } from 'node:net'
import { performance } from 'node:perf_hooks'
import { Server as TlsServer } from 'node:tls'
import type { TakenConnection } from '../../proxy/ports/early-connection.ts'
import type { Deadlines } from './connection-guard.ts'
import type { OwnPath } from './own-paths.ts'

/** Methods of requests that have no body. */
const methods = ['GET', 'HEAD']

/**
 * Looks at the first bytes of each connection before the server does, and gives those to carriers that read their requests themselves.
 * To be called before anything else listens to its connections.
 * @param signedIn takes the socket of a client that is known
 * @returns closes the connections that carriers have, each once what is under way has been answered
 */
export function serveEarly(
  server: Server,
  paths: readonly OwnPath[],
  deadlines: Deadlines,
  signedIn: (socket: Socket) => void,
): () => void {
  const carriers = paths.filter((path) => path.connection)
  if (carriers.length === 0) return () => {}
  const event = server instanceof TlsServer ? 'secureConnection' : 'connection'
  const parsers = server.listeners(event) as ((socket: Socket) => void)[]
  server.removeAllListeners(event)
  /** Of which nothing has come, with the moment when something must have. */
  const silent = new Map<Socket, number>()
  const taken = new Set<TakenConnection>()
  let isClosing = false

  const handOver = (socket: Socket, bytes: Buffer) => {
    socket.pause()
    socket.unshift(bytes)
    for (const parser of parsers) parser.call(server, socket)
    socket.resume()
  }
  const take = (socket: Socket, first: Buffer, { connection }: OwnPath) => {
    let mine: TakenConnection | undefined
    let isLeft = false
    const leave = () => {
      isLeft = true
      if (mine) taken.delete(mine)
    }
    socket.once('close', leave)
    mine = connection?.({
      socket,
      first,
      keepAliveMs: deadlines.keepAliveTimeout,
      signedIn: () => signedIn(socket),
      handOver: (bytes) => {
        socket.off('close', leave)
        leave()
        handOver(socket, bytes)
      },
    })
    if (mine && !isLeft) taken.add(mine)
  }

  server.on(event, (socket: Socket) => {
    const forget = () => {
      silent.delete(socket)
      socket.off('data', onFirst).off('end', onEnd).off('close', forget)
    }
    const onFirst = (first: Buffer) => {
      forget()
      const carrier = isClosing ? undefined : carriers.find(({ path }) => isFor(first, path))
      if (carrier) take(socket, first, carrier)
      else handOver(socket, first)
      socket.off('error', ignore)
    }
    const onEnd = () => socket.destroy()
    silent.set(socket, performance.now() + deadlines.headersTimeout)
    socket.on('data', onFirst).on('end', onEnd).on('close', forget).on('error', ignore)
  })
  const timer = setInterval(() => {
    const now = performance.now()
    for (const [socket, at] of silent) if (at < now) server.emit('clientError', tooLate(), socket)
    for (const connection of taken) connection.checkTime(now)
  }, deadlines.connectionsCheckingInterval).unref()
  server.once('close', () => clearInterval(timer))
  return () => {
    isClosing = true
    for (const connection of taken) connection.close()
  }
}

function ignore(): void {} // followed by `close`

/** @param path its first segment: `/k8s` */
function isFor(first: Buffer, path: string): boolean {
  return methods.some((method) => {
    const start = `${method} ${path}/`
    return first.length > start.length && first.toString('latin1', 0, start.length) === start
  })
}

/** As Node's server has it for a client that does not send its headers in time. */
function tooLate(): Error {
  return Object.assign(new Error('Request timeout'), { code: 'ERR_HTTP_REQUEST_TIMEOUT' })
}
