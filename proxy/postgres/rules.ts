/** What a level allows on a PostgreSQL target; the `rules` of its engine facts. */
export interface PostgresRules {
  /** Databases the level covers; `*` alone: all. */
  readonly databases: readonly string[]
  /** Used when the client names no database, or one that equals its user name. */
  readonly defaultDatabase: string
  /** 0: none. Set as `statement_timeout` at startup. */
  readonly statementTimeoutMs: number
  /** 0: none. Rows that one statement may return before the session ends with LIMIT_REACHED. */
  readonly maxRows: number
}
