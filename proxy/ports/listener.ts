import { type AddressInfo, createServer, type Socket } from 'node:net'
import type { ClientOrigin } from '../session.ts'
import { listen } from './listen.ts'
import { prefixOf, withoutMapping } from './source-address.ts'

/** Why a connection was closed before anything was read from it. */
export type TurnedAway = 'too-many-connections' | 'too-many-sign-ins' | 'too-many-sign-ins-from-address'

export interface ListenOptions {
  readonly host: string
  /** 0: any free one. */
  readonly port: number
  /**
   * Gets each connection, unread. `signedIn` is to be called once the client is known: until then (or until it closes)
   * it counts against the limits of connections that have not signed in.
   */
  onConnection(socket: Socket, client: ClientOrigin, signedIn: () => void): void
  /** Open connections. Default 10,000. */
  readonly maxConnections?: number
  /** Connections not signed in yet. Default 1,024. */
  readonly maxSignIns?: number
  /** The same from one source: an IPv4 address, or an IPv6 /64, which usually belongs to one customer. Default 128. */
  readonly maxSignInsPerAddress?: number
  /** For the log. Called for every connection refused: count, don't write a line each. */
  onTurnedAway?(reason: TurnedAway, client: ClientOrigin): void
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
  const { host, port, onConnection, onTurnedAway, onError, maxConnections = 10_000 } = options
  const sockets = new Set<Socket>()
  const signIns = new SignIns(options.maxSignIns ?? 1024, options.maxSignInsPerAddress ?? 128)
  const server = createServer({ noDelay: true, keepAlive: true, keepAliveInitialDelay: 60_000 }, (socket) => {
    socket.on('error', () => {})
    const client = originOf(socket)
    if (!client) return void socket.destroy()
    const refusal = sockets.size >= maxConnections ? 'too-many-connections' : signIns.refusal(client.address)
    if (refusal) {
      socket.destroy()
      onTurnedAway?.(refusal, client)
      return
    }
    const signedIn = signIns.begin(client.address)
    sockets.add(socket)
    socket.once('close', () => {
      sockets.delete(socket)
      signedIn()
    })
    onConnection(socket, client, signedIn)
  })
  await listen(server, { host, port, exclusive: true }, onError)
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

/** @returns undefined when the client has already disconnected */
function originOf({ remoteAddress, remotePort }: Socket): ClientOrigin | undefined {
  if (remoteAddress === undefined || remotePort === undefined) return undefined
  return { address: withoutMapping(remoteAddress), port: remotePort, via: 'listener' }
}

/** Counts connections that have not signed in, by source. */
class SignIns {
  readonly #max: number
  readonly #maxPerAddress: number
  readonly #byPrefix = new Map<string, number>()
  #total = 0

  constructor(max: number, maxPerAddress: number) {
    this.#max = max
    this.#maxPerAddress = maxPerAddress
  }

  refusal(address: string): TurnedAway | undefined {
    if (this.#total >= this.#max) return 'too-many-sign-ins'
    const here = this.#byPrefix.get(prefixOf(address)) ?? 0
    return here >= this.#maxPerAddress ? 'too-many-sign-ins-from-address' : undefined
  }

  /** @returns what ends this one's count; only its first call counts */
  begin(address: string): () => void {
    const prefix = prefixOf(address)
    this.#add(prefix, 1)
    let isPending = true
    return () => {
      if (isPending) this.#add(prefix, -1)
      isPending = false
    }
  }

  #add(prefix: string, change: 1 | -1): void {
    this.#total += change
    const here = (this.#byPrefix.get(prefix) ?? 0) + change
    if (here > 0) this.#byPrefix.set(prefix, here)
    else this.#byPrefix.delete(prefix)
  }
}
