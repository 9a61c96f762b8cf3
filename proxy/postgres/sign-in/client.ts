import type { SignedInClient } from '../../relay/serve-session.ts'

/**
 * A PostgreSQL client that has shown who it is and what it asks for. So far it was only told of the version spoken
 * (NegotiateProtocolVersion, where due: that must come first, and once) and asked for a password, if for anything:
 * AuthenticationOk, or the error that refuses it, is still to be sent, so that a failure upstream reaches it as an error
 * of its sign-in.
 */
export interface PostgresClient extends SignedInClient {
  /** Minor version the client asked for within protocol 3. */
  readonly minor: number
  /** `_pq_.` options it asked for, none of which is known; it has been told so. */
  readonly unknownOptions: readonly string[]
  /** Absent when it named none, or one that equals its user name. */
  readonly database?: string
  /** Startup parameters that may go upstream (allow-listed, those of `options` included); never `user`, `database`, `application_name`. */
  readonly parameters: ReadonlyMap<string, string>
}
