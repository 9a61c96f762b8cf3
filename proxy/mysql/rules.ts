/** What a level allows on a MySQL target; the `rules` of its engine facts. */
export interface MysqlRules {
  /** Databases the level covers; `*` alone: all. */
  readonly databases: readonly string[]
  /** Used when the client names no database; empty: none is chosen then. */
  readonly defaultDatabase: string
  /** 0: none. Limits statements from the sign-in on, where the server can do it. */
  readonly statementTimeoutMs: number
  /** 0: none. Rows that one statement may return before the session ends with LIMIT_REACHED. */
  readonly maxRows: number
  /** LOAD DATA LOCAL INFILE may be used. */
  readonly localInfile: boolean
  /** Transactions are read-only by default; what keeps writes out is the database user's rights. */
  readonly readOnly: boolean
}
