import type { SecretFinder, Secrets, SqlDialect, SqlMode } from '../../recording/sql-dialect.ts'
import { Uris } from './connection-strings.ts'
import { Prepared, type SecretParameters } from './executions.ts'
import { isPlain } from './plain-text.ts'
import { SecretRules } from './secret-rules.ts'

type Span = [number, number]

/** So many spans are worth a look at which of them may go. */
const fewSpans = 1024
/** Bind counts its values in 16 bits. */
const mostParameters = 65_535

/** PostgreSQL's SQL, with PL/pgSQL in its literals. */
export const postgresDialect: SqlDialect = {
  mayHoldSecret: /passw|pwd|:\/\/|\boptions\b|\bexecute\b|\\[0-7xu+]|\buescape\b/i,
  isPlain,
  findSecrets: ({ backslashes, secretParameters = () => undefined }: SqlMode) =>
    backslashes === 'unknown'
      ? new EitherWay(new Finder(false, secretParameters), new Finder(true, secretParameters))
      : new Finder(backslashes, secretParameters),
}

class Finder implements SecretFinder {
  #spans: Span[] = []
  /** When the spans are looked through again. */
  #most = fewSpans
  /** One of those that are forgotten. */
  #forgotten: Span | undefined
  readonly #parameters = new Set<number>()
  readonly #root
  readonly #rules: SecretRules
  readonly #uris = new Uris((from, to) => this.#spans.push([from, to]))
  #length = 0

  constructor(hasBackslashes: boolean, secretParameters: SecretParameters) {
    const prepared = new Prepared(secretParameters)
    this.#root = {
      steps: 0,
      hasBackslashes,
      prepared,
      emit: (from: number, to: number) => void this.#spans.push([from, to]),
      parameter: (number: number) => {
        if (number > mostParameters) return
        this.#parameters.add(number)
        prepared.parameter(number)
      },
    }
    this.#rules = new SecretRules(this.#root, 0)
  }

  get steps(): number {
    return this.#root.steps
  }

  feed(bytes: Buffer, start: number, end: number): void {
    this.#rules.lexer.feed(bytes, start, end, this.#length)
    this.#uris.feed(bytes, start, end, this.#length)
    this.#root.steps += end - start
    this.#length += end - start
  }

  feedLiteral(bytes: Buffer): void {
    this.#rules.literalStart(0, false)
    this.#rules.content(bytes, 0, bytes.length, 0)
    this.#rules.literalEnd(0, bytes.length)
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
    const isUnterminated = this.#rules.finish(this.#length)
    this.#uris.finish(this.#length)
    if (this.#forgotten) this.#spans.push(this.#forgotten)
    return { spans: merge(this.#spans), parameters: this.#parameters, isUnterminated }
  }
}

class EitherWay implements SecretFinder {
  readonly #finders: readonly [Finder, Finder]

  constructor(...finders: [Finder, Finder]) {
    this.#finders = finders
  }

  get steps(): number {
    return this.#finders[0].steps + this.#finders[1].steps
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
    const [a, b] = [this.#finders[0].finish(), this.#finders[1].finish()]
    return {
      spans: merge([...a.spans, ...b.spans].map(([from, to]) => [from, to])),
      parameters: new Set([...a.parameters, ...b.parameters]),
      isUnterminated: a.isUnterminated && b.isUnterminated,
    }
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
