import { createHash, type Hash } from 'node:crypto'

/** Longest part of one text or of one message's values that a recording keeps; the rest by length and digest. */
export const keptBytes = 64 * 1024

/** A text of the client, as far as it is kept. */
export interface Captured {
  readonly text: string
  /** Of the whole message body; only when the text was cut. */
  readonly cut?: { readonly bytes: number; readonly sha256: string }
}

/** The body of a message that came in pieces, while it passes: its digest, for when it is too long to keep. */
export class PassingBody {
  #hash: Hash | undefined
  #length = 0

  /** @returns how many of its bytes are to be collected */
  begin(length: number): number {
    this.#length = length
    this.#hash = length > keptBytes ? createHash('sha256') : undefined
    return Math.min(length, keptBytes)
  }

  part(bytes: Buffer, start: number, end: number): void {
    this.#hash?.update(bytes.subarray(start, end))
  }

  /** What was cut off the message that has just passed; undefined: nothing. */
  finish(): Captured['cut'] {
    const hash = this.#hash
    this.#hash = undefined
    return hash && { bytes: this.#length, sha256: hash.digest('hex') }
  }
}

/** The bytes before the first NUL. */
export function untilNul(bytes: Buffer): Buffer {
  const end = bytes.indexOf(0)
  return end < 0 ? bytes : bytes.subarray(0, end)
}

/**
 * SQL as it is recorded: passwords that statements set in the clear are taken out, as they would be good for signing in elsewhere.
 * Invalid UTF-8 becomes U+FFFD.
 */
export function recordedSql(sql: Buffer): string {
  const text = sql.toString('utf8')
  return /password/i.test(text) ? text.replace(passwordLiteral, '$1[redacted]') : text
}

/** `PASSWORD 'x'`, `password => E'x\'y'`, `PASSWORD $$x$$`; in OPTIONS of user mappings too. */
const passwordLiteral =
  /(\bpassword\s*(?:=>|:=|=)?\s*)(?:E'(?:[^'\\]|\\.|'')*'|U&'(?:[^']|'')*'|'(?:[^']|'')*'|(\$[^$\s]*\$)[\s\S]*?\2)/gi
