import type { Server } from 'node:http'
import type { Socket } from 'node:net'
import { Server as TlsServer } from 'node:tls'
import type { Connections } from '../../proxy/ports/connections.ts'
import { noProxyHeaders, type Origin, type ProxyHeaders } from '../../proxy/ports/proxy-header.ts'
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

export interface Guarded {
  /** To be called with the socket of a request whose caller is signed in. */
  signedIn(socket: Socket): void
  /** Destroys every connection, also those of which the server knows nothing yet: a header or a TLS handshake is awaited. */
  drop(): void
}

/** Lets a server accept only what has a place. A socket that a balancer speaks for has the address of its client from then on. */
export function guardConnections(
  server: Server,
  connections: Connections,
  headers: ProxyHeaders = noProxyHeaders,
): Guarded {
  const open = new Set<Socket>()
  const known = new WeakMap<Socket, () => void>()
  /** By their ends: a TLS socket has those of the socket below it, and no other sign of it. */
  const below = new Map<string, { readonly origin: Origin; readonly signedIn: () => void }>()
  const awaitTls = (socket: Socket, accepted: { readonly origin: Origin; readonly signedIn: () => void }) => {
    const ends = endsOf(socket)
    below.set(ends, accepted)
    // A client that resets may be back from the same port before its first socket has closed.
    socket.once('close', () => below.get(ends) === accepted && below.delete(ends))
  }
  const accept = server.listeners('connection') as ((socket: Socket) => void)[]
  server.removeAllListeners('connection')
  server.on('connection', (socket: Socket) => {
    socket.on('error', () => {}) // a client that resets before the server listens to it
    open.add(socket)
    socket.once('close', () => open.delete(socket))
    headers.accept(socket, (origin) => {
      const signedIn = connections.admit(socket, origin.address)
      if (!signedIn) return
      known.set(socket, signedIn)
      if (server instanceof TlsServer) awaitTls(socket, { origin, signedIn })
      else name(socket, origin)
      for (const listener of accept) listener.call(server, socket)
    })
  })
  server.prependListener('secureConnection', (socket: Socket) => {
    const accepted = below.get(endsOf(socket))
    if (!accepted) return
    known.set(socket, accepted.signedIn)
    name(socket, accepted.origin)
  })
  return {
    signedIn: (socket) => known.get(socket)?.(),
    drop: () => {
      for (const socket of open) socket.destroy()
    },
  }
}

/** The same of a server that only other processes of this daemon reach. */
export function trustConnections(server: Server): Guarded {
  const open = new Set<Socket>()
  server.on('connection', (socket: Socket) => {
    open.add(socket)
    socket.once('close', () => open.delete(socket))
  })
  return {
    signedIn: () => {},
    drop: () => {
      for (const socket of open) socket.destroy()
    },
  }
}

function name(socket: Socket, { address, port }: Origin): void {
  if (withoutMapping(socket.remoteAddress ?? '') === address && socket.remotePort === port) return
  Object.defineProperties(socket, { remoteAddress: { value: address }, remotePort: { value: port } })
}

function endsOf({ remoteAddress, remotePort, localAddress }: Socket): string {
  return `${remoteAddress} ${remotePort} ${localAddress}`
}
