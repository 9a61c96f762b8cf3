import type { Socket } from 'node:net'

/** A connection of a client, of whose requests none was parsed. */
export interface EarlyConnection {
  readonly socket: Socket
  /** What came first. Never empty. */
  readonly first: Buffer
  /** How long it may be without a request. */
  readonly keepAliveMs: number
  /** To be called once its client is known. */
  readonly signedIn: () => void
  /** Leaves it to the server's own parser for good. The socket has no listeners of the caller's then. @param bytes from the start of a request on */
  readonly handOver: (bytes: Buffer) => void
}

/** The same while its requests are read, until it is handed over or closes. */
export interface TakenConnection {
  /** Called every few seconds. @param now milliseconds of `performance.now()` */
  checkTime(now: number): void
  /** Once what is under way has been answered. */
  close(): void
}
