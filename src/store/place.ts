/** Where a store is. */
export interface StorePlace {
  /** `sqlite:PATH` (relative to the working directory), `sqlite::memory:`, or `postgres://USER@HOST:PORT/DATABASE`, as messages show it. */
  readonly url: string
  /** Null or absent: SQLite. */
  readonly postgres?: PostgresPlace | null
}

export interface PostgresPlace {
  readonly host: string
  readonly port: number
  readonly user: string
  readonly database: string
  readonly password: string | null
  /** Null: no TLS. Absolute paths of PEM files; `ca` null: the authorities of Node. */
  readonly tls: { readonly ca: string | null; readonly cert: string | null; readonly key: string | null } | null
  /** For queries; a few more are beside their queue. */
  readonly connections: number
  /** Of one statement; 0: none. */
  readonly statementTimeoutMs: number
  readonly lockTimeoutMs: number
}
