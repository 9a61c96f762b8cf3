import type { SignedInClient } from '../../relay/serve-session.ts'

/**
 * A PostgreSQL client that has been identified and has named what it wants. So far it has been sent at most
 * NegotiateProtocolVersion (which must come first, and once) and the password request. AuthenticationOk or the error is sent
 * later, so that a failure upstream reaches the client as an error of its sign-in.
 */
export interface PostgresClient extends SignedInClient {
  /** Minor version the client asked for within protocol 3. */
  readonly minor: number
  /** `_pq_.` options it requested, none of which is known; it has been told so. */
  readonly unknownOptions: readonly string[]
  /** Absent when it named none, or one equal to its user name. */
  readonly database?: string
  /** Startup parameters that may go upstream (allow-listed, those of `options` included); never `user`, `database`, `application_name`. */
  readonly parameters: ReadonlyMap<string, string>
}
