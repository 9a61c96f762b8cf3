/** What recordings need to know of a protocol's SQL. Each protocol brings its own, e.g. `proxy/postgres/sql/find-secrets.ts`. */

/** The places of a text that hold secrets. */
export interface Secrets {
  /** Byte offsets `[from, to)`, in order, not touching each other. */
  readonly spans: readonly (readonly [number, number])[]
  /** Parameters whose values are secrets, from 1. */
  readonly parameters: ReadonlySet<number>
  /** The server cannot have run it: a literal, name or comment has no end. */
  readonly isUnterminated: boolean
}

/** Reads one text from its first byte to its last, in pieces of any size. Its cost is linear, and it keeps none of the text. */
export interface SecretFinder {
  feed(bytes: Buffer, start: number, end: number): void
  /** Instead of a text: the content of a literal, which may be SQL or a connection string. */
  feedLiteral(bytes: Buffer): void
  /** Of what lies wholly between these offsets nothing is needed any more but that there was something: one place stays. */
  forget(from: number, to: number): void
  finish(): Secrets
  /** Bytes looked at so far, each as often as it was. */
  readonly steps: number
}

/** What changes how a text is read. */
export interface SqlMode {
  /** Backslashes escape in plain literals; `unknown` reads both ways. */
  readonly backslashes: boolean | 'unknown'
  /** Of a statement that was prepared under this name before, from 1; undefined: what the name stands for is not known. */
  readonly secretParameters?: (name: string) => ReadonlySet<number> | undefined
}

export interface SqlDialect {
  /** Matches every text that may hold a secret; one search, without an allocation, over each statement. */
  readonly mayHoldSecret: RegExp
  /**
   * What stands before a password. Of a text that ends within a literal all behind the first match is taken for one. Undefined:
   * the server may have run the beginning of such a text.
   */
  readonly beforeSecret?: RegExp
  /** Where the server's errors begin to quote a statement or a value that it could not read. */
  readonly errorQuote: RegExp
  /**
   * A quicker look at bytes, which may miss: they are printable ASCII without `"` and `\\`, and nothing in them matches
   * `mayHoldSecret`.
   */
  isPlain(bytes: Buffer, start: number, end: number): boolean
  findSecrets(mode: SqlMode): SecretFinder
}
