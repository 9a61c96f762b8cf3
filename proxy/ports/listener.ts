import { type AddressInfo, createServer, type Socket } from 'node:net'
import type { ClientOrigin } from '../session.ts'
import { Connections } from './connections.ts'
import { listen } from './listen.ts'
import { noProxyHeaders, type ProxyHeaders } from './proxy-header.ts'

export interface ListenOptions {
  readonly host: string
  /** 0: any free one. */
  readonly port: number
  /** Of a socket that is bound there already, and inherited; left out: this process binds. */
  readonly fd?: number
  /**
   * Gets each connection, unread. `signedIn` is to be called once the client is known: until then it counts
   * against the limits of connections that have not signed in.
   */
  onConnection(socket: Socket, client: ClientOrigin, signedIn: () => void): void
  /** Places for connections, which ports may share. By default this port has its own. */
  readonly connections?: Connections
  /** Balancers that say who the client is. By default there are none. */
  readonly headers?: ProxyHeaders
  /** Accepting failed, e.g. EMFILE. The port stays open. */
  onError(error: Error): void
}

export interface Listener {
  readonly host: string
  readonly port: number
  /** Connections open now, known and unknown. */
  readonly openCount: number
  /** Stops accepting, at once; connections go on. */
  close(): void
  /** Destroys those that are still open. */
  drop(): void
}

/**
 * A TCP port for a protocol: no delay, keep-alive (NAT forgets silent connections after 350 s on AWS), and limits. Errors
 * of a socket are for its reader to handle; here they are only kept from going unhandled.
 * @throws NodeJS.ErrnoException EADDRINUSE, EACCES …
 */
export async function listenTcp(options: ListenOptions): Promise<Listener> {
  const { host, port, fd, onConnection, onError, connections = new Connections(), headers = noProxyHeaders } = options
  const sockets = new Set<Socket>()
  const server = createServer({ noDelay: true, keepAlive: true, keepAliveInitialDelay: 60_000 }, (socket) => {
    socket.on('error', () => {})
    sockets.add(socket)
    socket.once('close', () => sockets.delete(socket))
    headers.accept(socket, (origin) => {
      const signedIn = connections.admit(socket, origin.address)
      if (signedIn) onConnection(socket, { ...origin, via: 'listener' }, signedIn)
    })
  })
  await listen(server, { ...(fd === undefined ? { host, port } : { fd }), exclusive: true }, onError)
  const address = server.address() as AddressInfo
  return {
    host: address.address,
    port: address.port,
    get openCount() {
      return sockets.size
    },
    close: () => void server.close(),
    drop: () => {
      for (const socket of sockets) socket.destroy()
    },
  }
}
