import { isUtf8 } from 'node:buffer'
import type { Captured, KnownSecrets } from './captured.ts'
import { Digests } from './digests.ts'
import { LongText } from './long-text.ts'
import { redactSpans, secretTexts } from './redact.ts'
import type { Secrets, SqlDialect, SqlMode } from './sql-dialect.ts'

/** A value that holds a secret. */
export interface CapturedValue {
  readonly text: string
  readonly secrets: readonly string[]
}

/**
 * The texts of one session as they are recorded: without the passwords that statements set, since those would work elsewhere.
 * What is left out leaves an HMAC.
 */
export class TextCapture {
  readonly digests: Digests
  readonly #dialect: SqlDialect

  constructor(key: Uint8Array, dialect: SqlDialect) {
    this.digests = new Digests(key)
    this.#dialect = dialect
  }

  /** How the server reads literals now. */
  protected get mode(): SqlMode {
    return { backslashes: 'unknown' }
  }

  /** As {@link sql}, without a copy of the bytes. @returns undefined for a text that needs a closer look */
  plain(bytes: Buffer, start: number, end: number): Captured | undefined {
    if (!this.#dialect.isPlain(bytes, start, end)) return undefined
    return { text: bytes.toString('latin1', start, end), isPlain: true }
  }

  sql(sql: Buffer): Captured {
    const plain = this.plain(sql, 0, sql.length)
    if (plain) return plain
    const text = sql.toString('utf8')
    if (!this.#dialect.mayHoldSecret.test(text))
      return isUtf8(sql) ? { text } : { text, base64: sql.toString('base64') }
    const finder = this.#dialect.findSecrets(this.mode)
    finder.feed(sql, 0, sql.length)
    const { spans, parameters } = withRest(finder.finish(), sql, text, this.#dialect.beforeSecret)
    const secrets: KnownSecrets = { parameters, texts: secretTexts(sql, spans) }
    if (spans.length > 0) return { text: redactSpans(sql, spans), hmac: this.digests.of(sql), secrets }
    const known = parameters.size > 0 ? { secrets } : {}
    return isUtf8(sql) ? { text, ...known } : { text, base64: sql.toString('base64'), ...known }
  }

  /** For a text that is too long to keep. */
  long(): LongText {
    return new LongText(this.#dialect.findSecrets(this.mode))
  }

  /** As {@link value}, of a value that is a string already. */
  shortValue(value: string): CapturedValue | undefined {
    return this.#dialect.mayHoldSecret.test(value) ? this.value(Buffer.from(value)) : undefined
  }

  /** @returns undefined when the value holds no secret */
  value(value: Buffer): CapturedValue | undefined {
    if (!this.#dialect.mayHoldSecret.test(value.toString('utf8'))) return undefined
    const finder = this.#dialect.findSecrets(this.mode)
    finder.feedLiteral(value)
    const { spans } = finder.finish()
    return spans.length === 0 ? undefined : { text: redactSpans(value, spans), secrets: secretTexts(value, spans) }
  }
}

/** The server refuses a text that ends inside a literal: nothing of it has run, and a password may have lost its quotes. */
function withRest(secrets: Secrets, sql: Buffer, text: string, before?: RegExp): Secrets {
  const found = secrets.isUnterminated ? before?.exec(text) : null
  if (!found) return secrets
  const from = Buffer.byteLength(text.slice(0, found.index + found[0].length))
  const kept = secrets.spans.filter(([start]) => start < from)
  return { ...secrets, spans: [...kept, [Math.max(from, kept.at(-1)?.[1] ?? 0), sql.length]] }
}
