import { type Captured, headBytes, type Truncated, tailBytes } from './captured.ts'
import { redactSpans, secretTexts, touches } from './redact.ts'
import type { SecretFinder, Secrets } from './sql-dialect.ts'

/** Sizes are rounded by it where something was redacted, so that they don't tell its length. */
const step = 1024

/** Keeps both ends of a text that passes in pieces, and looks for secrets in all of it. */
export class LongText {
  readonly #finder: SecretFinder
  #head = Buffer.alloc(0)
  #headLength = 0
  /** A ring. */
  #tail: Buffer | undefined
  /** Bytes that went into the ring so far. */
  #tailed = 0

  constructor(finder: SecretFinder) {
    this.#finder = finder
  }

  add(bytes: Buffer, start: number, end: number): void {
    this.#finder.feed(bytes, start, end)
    const take = Math.min(end - start, headBytes - this.#headLength)
    if (take > 0) this.#addHead(bytes, start, start + take)
    if (start + take < end) this.#addTail(bytes, start + take, end)
    this.#finder.forget(headBytes, this.#headLength + this.#tailed - tailBytes)
  }

  /** @param whole the message that the text was in */
  finish(whole: Truncated): Captured {
    const secrets = this.#finder.finish()
    const head = this.#head.subarray(0, this.#headLength)
    const tail = this.#end()
    const { spans, parameters } = secrets
    const tailAt = this.#headLength + this.#tailed - tail.length
    const shown =
      tailAt === head.length
        ? { text: redactSpans(Buffer.concat([head, tail]), spans) }
        : show(head, tail, tailAt, spans)
    if (spans.length === 0 && parameters.size === 0) return { ...shown, cut: whole }
    const inTail = spans.filter(([from]) => from >= tailAt).map(([from, to]) => [from - tailAt, to - tailAt] as const)
    const inHead = spans.filter(([from]) => from < head.length)
    const texts = [...secretTexts(head, inHead), ...secretTexts(tail, inTail)]
    return { ...shown, cut: { ...whole, bytes: Math.ceil(whole.bytes / step) * step }, secrets: { parameters, texts } }
  }

  #addHead(bytes: Buffer, start: number, end: number): void {
    const length = this.#headLength + end - start
    if (this.#head.length < length) {
      const grown = Buffer.alloc(Math.min(headBytes, Math.max(length, this.#head.length * 2)))
      this.#head.copy(grown)
      this.#head = grown
    }
    bytes.copy(this.#head, this.#headLength, start, end)
    this.#headLength = length
  }

  #addTail(bytes: Buffer, start: number, end: number): void {
    this.#tail ??= Buffer.alloc(tailBytes)
    const from = Math.max(start, end - tailBytes)
    this.#tailed += from - start
    for (let i = from; i < end; ) {
      const at = this.#tailed % tailBytes
      const take = Math.min(end - i, tailBytes - at)
      bytes.copy(this.#tail, at, i, i + take)
      this.#tailed += take
      i += take
    }
  }

  #end(): Buffer {
    const tail = this.#tail ?? Buffer.alloc(0)
    if (this.#tailed <= tailBytes) return tail.subarray(0, this.#tailed)
    const at = this.#tailed % tailBytes
    return Buffer.concat([tail.subarray(at), tail.subarray(0, at)])
  }
}

function show(head: Buffer, tail: Buffer, tailAt: number, spans: Secrets['spans']): { text: string; tail: string } {
  const from = firstCharacter(tail)
  const text = redactSpans(wholeCharacters(head), spans)
  const end = redactSpans(tail.subarray(from), spans, tailAt + from)
  return {
    text: touches(spans, 0, head.length) ? text.slice(0, rounded(text.length, headBytes)) : text,
    tail: touches(spans, tailAt, tailAt + tail.length) ? end.slice(end.length - rounded(end.length, tailBytes)) : end,
  }
}

/** Below the size of the whole end, since what is redacted may be shorter than the mark in its place. */
function rounded(length: number, whole: number): number {
  return Math.min(length - (length % step), whole - step)
}

const isContinued = (byte: number | undefined) => byte !== undefined && (byte & 0xc0) === 0x80

/** Without the beginning of a UTF-8 character that was cut off. */
export function wholeCharacters(bytes: Buffer): Buffer {
  let at = bytes.length - 1
  while (at > bytes.length - 4 && isContinued(bytes[at])) at -= 1
  const lead = bytes[at] ?? 0
  const length = lead < 0xc0 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4
  return at >= 0 && at + length > bytes.length ? bytes.subarray(0, at) : bytes
}

function firstCharacter(bytes: Buffer): number {
  let at = 0
  while (at < 3 && isContinued(bytes[at])) at += 1
  return at
}
