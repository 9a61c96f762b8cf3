import type { Duplex } from 'node:stream'
import type { ClientOrigin, Identity } from '../../session.ts'

/**
 * A PostgreSQL client that has shown who it is and what it asks for. So far it was only told of the version spoken
 * (NegotiateProtocolVersion, where due: that must come first, and once) and asked for a password, if for anything:
 * AuthenticationOk, or the error that refuses it, is still to be sent, so that a failure upstream reaches it as an error
 * of its sign-in.
 */
export interface PostgresClient {
  /** Plaintext side of TLS, a websocket, or the bare socket. */
  readonly stream: Duplex
  /** What arrived behind the sign-in; the first bytes to relay. */
  readonly ahead: Buffer
  readonly origin: ClientOrigin
  readonly identity: Identity
  readonly resourceId: string
  readonly level?: string
  /** Minor version the client asked for within protocol 3. */
  readonly minor: number
  /** `_pq_.` options it asked for, none of which is known; it has been told so. */
  readonly unknownOptions: readonly string[]
  /** Absent when it named none, or one that equals its user name. */
  readonly database?: string
  /** Startup parameters that may go upstream (allow-listed, those of `options` included); never `user`, `database`, `application_name`. */
  readonly parameters: ReadonlyMap<string, string>
  /** Its `application_name`, cut to 128 characters; untrusted text. */
  readonly tool?: string
}

/** A CancelRequest, from whoever holds the key. */
export interface CancelAsk {
  readonly pid: number
  readonly key: Buffer
  readonly origin: ClientOrigin
}
