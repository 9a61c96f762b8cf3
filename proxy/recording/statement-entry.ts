import type { Captured, Truncated } from './captured.ts'

/** The members that entries of every protocol's statements share. */

export interface StatementError {
  /** SQLSTATE. */
  readonly code: string
  /** Of protocols that number their errors. */
  readonly number?: number
  readonly message: string
  readonly position?: string
}

/** How a statement ended without the server's answer. */
export type Incomplete = 'skipped' | 'unfinished' | 'unsent' | 'suspended'

/** The text of a statement. Members that are undefined are left out of the line. */
export interface SqlMembers {
  readonly sql?: string
  /** The text that the name stands for is not known. */
  readonly sqlUnknown?: true
  /** The text was not UTF-8: its bytes. */
  readonly sqlBase64?: string | undefined
  /** The text was too long: its end, where `sql` is its beginning, and size and digest of the whole message body. */
  readonly sqlTail?: string | undefined
  readonly sqlCut?: Truncated | undefined
  /** Something was redacted: HMAC-SHA-256 of the text as it was sent, under the key of the recording. */
  readonly sqlHmac?: string | undefined
}

export function sqlOf(sql: Captured | undefined): SqlMembers {
  if (!sql || sql.isUnknown) return { sqlUnknown: true }
  return { sql: sql.text, sqlBase64: sql.base64, sqlTail: sql.tail, sqlCut: sql.cut, sqlHmac: sql.hmac }
}
