import type { Server } from 'node:http'
import type { Socket } from 'node:net'
import type { Connections } from '../../proxy/ports/connections.ts'
import { withoutMapping } from '../../proxy/ports/source-address.ts'

/** For clients that are slow or silent, in milliseconds. */
export interface Deadlines {
  /** From the connection, or from the first byte of a later request, to the end of its headers. */
  readonly headersTimeout: number
  /** The same to the end of its body. */
  readonly requestTimeout: number
  /** For the TLS handshake. */
  readonly handshakeTimeout: number
  /** Between two requests. Longer than the 60 s after which load balancers of AWS close: else they use what we have just closed. */
  readonly keepAliveTimeout: number
  /** How often all this is looked at. */
  readonly connectionsCheckingInterval: number
}

export const defaultDeadlines: Deadlines = {
  headersTimeout: 10_000,
  requestTimeout: 30_000,
  handshakeTimeout: 10_000,
  keepAliveTimeout: 72_000,
  connectionsCheckingInterval: 2000,
}

/**
 * Lets a server accept only what has a place.
 * @returns to be called with the socket of a request whose caller is signed in
 */
export function guardConnections(server: Server, connections: Connections): (socket: Socket) => void {
  const known = new Map<string, () => void>()
  const accept = server.listeners('connection') as ((socket: Socket) => void)[]
  server.removeAllListeners('connection')
  server.on('connection', (socket: Socket) => {
    socket.on('error', () => {}) // a client that resets before the server listens to it
    const ends = endsOf(socket)
    if (ends === undefined) return void socket.destroy()
    const signedIn = connections.admit(socket, withoutMapping(socket.remoteAddress ?? ''))
    if (!signedIn) return
    known.set(ends, signedIn)
    // A client that resets may be back from the same port before its first socket has closed.
    socket.once('close', () => known.get(ends) === signedIn && known.delete(ends))
    for (const listener of accept) listener.call(server, socket)
  })
  return (socket) => known.get(endsOf(socket) ?? '')?.()
}

/** A TLS socket has the ends of the socket below it. */
function endsOf({ remoteAddress, remotePort, localAddress }: Socket): string | undefined {
  return remoteAddress === undefined ? undefined : `${remoteAddress} ${remotePort} ${localAddress}`
}
