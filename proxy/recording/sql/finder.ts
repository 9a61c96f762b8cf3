import type { SecretFinder, Secrets } from '../sql-dialect.ts'
import { Uris } from './uris.ts'

type Span = [number, number]

/** So many spans are worth a look at which of them may go. */
const fewSpans = 1024
/** Both protocols count the parameters of a statement in 16 bits. */
const mostParameters = 65_535

/** Where a reader tells what it found. */
export interface Found {
  /** A secret, as byte offsets `[from, to)` of the text. */
  emit(from: number, to: number): void
  /** The value of this parameter is a secret. @param number from 1 */
  parameter(number: number): void
}

/** Reads one text by the rules of a dialect, in one way. */
export interface SqlReader {
  /** Bytes that its lexers looked at. */
  readonly steps: number
  /** @param from offset of `bytes[start]` in the text */
  feed(bytes: Buffer, start: number, end: number, from: number): void
  feedLiteral(bytes: Buffer): void
  /** @param end of the text @returns whether it ends within a literal, name or comment */
  finish(end: number): boolean
}

/** Gathers what a reader finds, and the passwords in URIs anywhere in the text. */
export class Finder implements SecretFinder {
  #spans: Span[] = []
  /** When the spans are looked through again. */
  #most = fewSpans
  /** One of those that are forgotten. */
  #forgotten: Span | undefined
  readonly #parameters = new Set<number>()
  readonly #reader: SqlReader
  readonly #uris = new Uris((from, to) => this.#spans.push([from, to]))
  #length: number

  /** @param from offset of the text's first byte */
  constructor(read: (found: Found) => SqlReader, from = 0) {
    this.#length = from
    this.#reader = read({
      emit: (from, to) => void this.#spans.push([from, to]),
      parameter: (number) => {
        if (number <= mostParameters) this.#parameters.add(number)
      },
    })
  }

  get steps(): number {
    return this.#reader.steps + this.#length
  }

  feed(bytes: Buffer, start: number, end: number): void {
    this.#reader.feed(bytes, start, end, this.#length)
    this.#uris.feed(bytes, start, end, this.#length)
    this.#length += end - start
  }

  feedLiteral(bytes: Buffer): void {
    this.#reader.feedLiteral(bytes)
    this.#uris.feed(bytes, 0, bytes.length, 0)
    this.#length = bytes.length
  }

  forget(from: number, to: number): void {
    if (this.#spans.length < this.#most) return
    const isNeeded = (span: Span) => span[0] < from || span[1] > to
    const spans = merge(this.#spans)
    this.#forgotten ??= spans.find((span) => !isNeeded(span))
    this.#spans = spans.filter(isNeeded)
    this.#most = Math.max(fewSpans, this.#spans.length * 2)
  }

  finish(): Secrets {
    const isUnterminated = this.#reader.finish(this.#length)
    this.#uris.finish(this.#length)
    if (this.#forgotten) this.#spans.push(this.#forgotten)
    return { spans: merge(this.#spans), parameters: this.#parameters, isUnterminated }
  }
}

/** Reads a text in each way that its server may read it, and takes for a secret what is one in any of them. */
export class EveryWay implements SecretFinder {
  readonly #finders: readonly SecretFinder[]

  constructor(finders: readonly SecretFinder[]) {
    this.#finders = finders
  }

  get steps(): number {
    return this.#finders.reduce((steps, finder) => steps + finder.steps, 0)
  }

  feed(bytes: Buffer, start: number, end: number): void {
    for (const finder of this.#finders) finder.feed(bytes, start, end)
  }

  feedLiteral(bytes: Buffer): void {
    for (const finder of this.#finders) finder.feedLiteral(bytes)
  }

  forget(from: number, to: number): void {
    for (const finder of this.#finders) finder.forget(from, to)
  }

  finish(): Secrets {
    return united(this.#finders.map((finder) => finder.finish()))
  }
}

/** What is a secret in any of these. */
export function united(all: readonly Secrets[]): Secrets {
  return {
    spans: merge(all.flatMap(({ spans }) => spans.map(([from, to]): Span => [from, to]))),
    parameters: new Set(all.flatMap(({ parameters }) => [...parameters])),
    isUnterminated: all.every(({ isUnterminated }) => isUnterminated),
  }
}

function merge(spans: Span[]): Span[] {
  const merged: Span[] = []
  for (const span of spans.sort((a, b) => a[0] - b[0])) {
    const last = merged.at(-1)
    if (last && span[0] <= last[1]) last[1] = Math.max(last[1], span[1])
    else if (span[1] > span[0]) merged.push(span)
  }
  return merged
}
