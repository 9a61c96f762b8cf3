import { isUtf8 } from 'node:buffer'
import { createHash, type Hash } from 'node:crypto'

/** Longest part of a text, or of one message's values, that a recording keeps; the whole is kept as length and digest. */
export const keptBytes = 64 * 1024

/** Size and digest of the whole message body, of which only the beginning was kept. */
export interface Truncated {
  readonly bytes: number
  readonly sha256: string
}

/** The part of a client's text that is kept. */
export interface Captured {
  readonly text: string
  /** Only when the text is not UTF-8: its bytes. `text` has U+FFFD then. */
  readonly base64?: string
  /** Only when the text was truncated. */
  readonly cut?: Truncated | undefined
}

/** Hashes the body of a message that arrives in pieces, in case it is too long to keep. */
export class PassingBody {
  #hash: Hash | undefined
  #length = 0

  /** @returns how many of its bytes to collect */
  begin(length: number): number {
    this.#length = length
    this.#hash = length > keptBytes ? createHash('sha256') : undefined
    return Math.min(length, keptBytes)
  }

  part(bytes: Buffer, start: number, end: number): void {
    this.#hash?.update(bytes.subarray(start, end))
  }

  /** Size and digest of the message that has just passed, if it is too long to keep. */
  finish(): Truncated | undefined {
    const hash = this.#hash
    this.#hash = undefined
    return hash && { bytes: this.#length, sha256: hash.digest('hex') }
  }
}

/** As {@link PassingBody}, for a message that arrived whole, as long ones may over a websocket. */
export function truncationOf(body: Buffer): Truncated | undefined {
  if (body.length <= keptBytes) return undefined
  return { bytes: body.length, sha256: createHash('sha256').update(body).digest('hex') }
}

/** The bytes before the first NUL. */
export function untilNul(bytes: Buffer): Buffer {
  const end = bytes.indexOf(0)
  return end < 0 ? bytes : bytes.subarray(0, end)
}

/** SQL as it is recorded: passwords that statements set in clear text are removed, since they would work elsewhere. */
export function captureSql(sql: Buffer, cut?: Truncated): Captured {
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
 * `PASSWORD 'x'`, `password => E'x\'y'`, `PASSWORD $$x$$`, `'password=''x'''`; in OPTIONS of user mappings too. Bounded, so that many unterminated
 * quotes cost no time; longer literals stay.
 */
const passwordLiteral =
  /(\bpassword\s{0,99}(?:=>|:=|=)?\s{0,99})(?:''[^']{1,4096}''|E'(?:[^'\\]|\\.|''){0,4096}'|U&'(?:[^']|''){0,4096}'|'(?:[^']|''){0,4096}'|(\$[^$\s]{0,63}\$)[\s\S]{0,4096}?\2)/gi
/** Connection strings of libpq: those of dblink and of subscriptions. Elsewhere `password=x` is a column. */
const mayHoldConnection = /dblink|\bconnection\b/i
const passwordWord = /(\bpassword\s{0,9}=\s{0,9})[^\s'"[\]]{1,4096}/gi
