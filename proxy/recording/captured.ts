/** Longest text, or body of one message's values, that a recording keeps whole. */
export const keptBytes = 64 * 1024
/** What it keeps of a longer text, as bytes at both ends. */
export const headBytes = 48 * 1024
export const tailBytes = 16 * 1024

/**
 * A message of which only parts were kept: size of its body and HMAC-SHA-256 of it, under the key of the recording. Where
 * something was redacted the size is rounded up, so that it does not tell the length of a password.
 */
export interface Truncated {
  readonly bytes: number
  readonly hmac: string
}

/** What a text says that must not be in a recording. Kept in memory only, until errors about it are recorded. */
export interface KnownSecrets {
  /** Parameters whose values are secrets, from 1. */
  readonly parameters: ReadonlySet<number>
  readonly texts: readonly string[]
}

/** The part of a client's text that is kept. */
export interface Captured {
  readonly text: string
  /** The text was sent so, and stands so in JSON. */
  readonly isPlain?: true
  /** Only when the text is not UTF-8, and nothing was redacted: its bytes. `text` has U+FFFD then. */
  readonly base64?: string
  /** Only when the text was truncated: its end, as `text` is its beginning. */
  readonly tail?: string
  readonly cut?: Truncated | undefined
  /** Only when the whole text is kept and something was redacted: HMAC-SHA-256 of the text as it was sent. */
  readonly hmac?: string
  readonly secrets?: KnownSecrets
  /** What the server runs is not known; `text` is empty then. */
  readonly isUnknown?: true
}

/** Characters that are kept of it. */
export function sizeOf(sql: Captured | undefined): number {
  return sql ? sql.text.length + (sql.tail?.length ?? 0) + (sql.base64?.length ?? 0) : 0
}

/** All of a text is known, as it was sent or with something redacted. */
export function isWhole(sql: Captured | undefined): sql is Captured {
  return sql !== undefined && !sql.isUnknown && sql.cut === undefined && sql.base64 === undefined
}
