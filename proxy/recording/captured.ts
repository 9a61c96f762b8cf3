import { isUtf8 } from 'node:buffer'
import { createHash, type Hash } from 'node:crypto'

/** Longest part of one text or of one message's values that a recording keeps; the rest by length and digest. */
export const keptBytes = 64 * 1024

/** Size and digest of the whole message body, of which only the beginning was kept. */
export interface Cut {
  readonly bytes: number
  readonly sha256: string
}

/** A text of the client, as far as it is kept. */
export interface Captured {
  readonly text: string
  /** Only when the text is not UTF-8: its bytes. `text` has U+FFFD then. */
  readonly base64?: string
  /** Only when the text was cut. */
  readonly cut?: Cut | undefined
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

  /** What was cut off the message that has just passed, if anything was. */
  finish(): Cut | undefined {
    const hash = this.#hash
    this.#hash = undefined
    return hash && { bytes: this.#length, sha256: hash.digest('hex') }
  }
}

/** As {@link PassingBody}, of a message that arrived whole: a websocket may bring long ones so. */
export function cutOf(body: Buffer): Cut | undefined {
  if (body.length <= keptBytes) return undefined
  return { bytes: body.length, sha256: createHash('sha256').update(body).digest('hex') }
}

/** The bytes before the first NUL. */
export function untilNul(bytes: Buffer): Buffer {
  const end = bytes.indexOf(0)
  return end < 0 ? bytes : bytes.subarray(0, end)
}

/** SQL as it is recorded: passwords that statements set in the clear are taken out, as they would be good for signing in elsewhere. */
export function captureSql(sql: Buffer, cut?: Cut): Captured {
  const text = sql.toString('utf8')
  const redacted = mayHoldPassword.test(text) ? redact(text) : text
  if (redacted !== text || cut !== undefined || isUtf8(sql)) return { text: redacted, cut }
  return { text, base64: sql.toString('base64') }
}

function redact(text: string): string {
  const redacted = text.replace(passwordLiteral, '$1[redacted]')
  return mayHoldConnection.test(redacted) ? redacted.replace(passwordWord, '$1[redacted]') : redacted
}

const mayHoldPassword = /password/i
/**
 * `PASSWORD 'x'`, `password => E'x\'y'`, `PASSWORD $$x$$`, `'password=''x'''`; in OPTIONS of user mappings too. Bounded, so that many openings
 * without an end cost no time; longer literals stay.
 */
const passwordLiteral =
  /(\bpassword\s{0,99}(?:=>|:=|=)?\s{0,99})(?:''[^']{1,4096}''|E'(?:[^'\\]|\\.|''){0,4096}'|U&'(?:[^']|''){0,4096}'|'(?:[^']|''){0,4096}'|(\$[^$\s]{0,63}\$)[\s\S]{0,4096}?\2)/gi
/** Connection strings of libpq: those of dblink and of subscriptions. Elsewhere `password=x` is a column. */
const mayHoldConnection = /dblink|\bconnection\b/i
const passwordWord = /(\bpassword\s{0,9}=\s{0,9})[^\s'"[\]]{1,4096}/gi
