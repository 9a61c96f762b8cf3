import type { SessionPermit } from '../../session.ts'

/** Where and as whom one PostgreSQL session goes upstream, and what the level allows. */
export interface PostgresRoute {
  /** Where to connect; `servername` is verified against the certificate, and is what the token was signed for. */
  readonly host: string
  readonly port: number
  readonly servername: string
  /** PEM roots, as `tls.connect` takes them; a SecureContext made once and shared. */
  readonly secureContext: import('node:tls').SecureContext
  readonly user: string
  /** Databases the level covers; `*` alone: all. */
  readonly databases: readonly string[]
  /** Used when the client names no database, or one that equals its user name. */
  readonly defaultDatabase: string
  /** 0: none. Set as `statement_timeout` at startup. */
  readonly statementTimeoutMs: number
  /** 0: none. Rows one statement may return before the session is ended with LIMIT_REACHED. */
  readonly maxRows: number
  /** Signs (or takes from the lease) the IAM token. Called once per upstream login. @throws BrokerError AWS_DENIED, AWS_UNAVAILABLE */
  password(): Promise<string>
}

/** Implemented by src/kinds/rds-postgres. Needs a permit: no relay without the doorman's check. */
export type PostgresDial = (permit: SessionPermit) => Promise<PostgresRoute>
