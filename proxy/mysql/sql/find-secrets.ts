import { Finder, type SqlReader, united } from '../../recording/sql/finder.ts'
import type { SecretFinder, Secrets, SqlDialect } from '../../recording/sql-dialect.ts'
import { EveryReading, type OneReading } from './every-reading.ts'
import { isPlain } from './plain-text.ts'
import type { MysqlMode, Reading, TextCounter } from './reading.ts'
import { SecretRules } from './secret-rules.ts'
import { StatementEnds } from './statement-ends.ts'

/** SQL of MySQL and MariaDB. */
export const mysqlDialect: SqlDialect & { findSecrets(mode: MysqlMode): SecretFinder } = {
  /** In hexadecimal literals the letters of *dentif* and *passw*. */
  mayHoldSecret:
    /passw|pwd|identified|:\/\/|\bexecute\b|authentication_string|rds_(?:set_external|import_binlog)|[46]4[46]5[46]e[57]4[46]9[46]6|[57]0[46]1[57]3[57]3[57]7/i,
  errorQuote: /(?: near| value:?| entry| value of| string:| out of range in) '/,
  isPlain,
  findSecrets: (mode: MysqlMode) => new EverySecret(mode),
}

/** At once. */
const mostReaders = 24

/** Takes for a secret what is one in any way in which the server may read the text. */
class EverySecret implements SecretFinder {
  readonly #every: EveryReading<SecretReader>
  #literal: Buffer | undefined
  /** Those that read the text once more. */
  #again: readonly SecretReader[] = []

  constructor(mode: MysqlMode) {
    this.#every = new EveryReading(mode, mostReaders, (reading, from) => new SecretReader(mode, reading, from))
  }

  get steps(): number {
    return [...this.#every.readers, ...this.#again].reduce((steps, { finder }) => steps + finder.steps, 0)
  }

  feed(bytes: Buffer, start: number, end: number): void {
    this.#every.feed(bytes, start, end)
  }

  feedLiteral(bytes: Buffer): void {
    this.#literal = bytes
    feedLiteral(this.#every, bytes)
  }

  forget(from: number, to: number): void {
    for (const { finder } of this.#every.readers) finder.forget(from, to)
  }

  /** Behind a place where the text can be read in more ways than were tried it is on record as those have it: what runs is not hidden. */
  finish(): Secrets {
    const literal = this.#literal
    const { readers } = this.#every.finish(literal && ((every) => feedLiteral(every, literal)))
    if (readers !== this.#every.readers) this.#again = readers
    return united(readers.map(({ finder }) => finder.finish()))
  }
}

function feedLiteral({ readers }: Pick<EveryReading<SecretReader>, 'readers'>, bytes: Buffer): void {
  for (const { finder } of readers) finder.feedLiteral(bytes)
}

class SecretReader implements OneReading {
  readonly reading: Reading
  readonly counter: TextCounter = { steps: 0 }
  readonly ends = new StatementEnds()
  readonly finder: Finder

  constructor({ secretParameters = () => undefined }: MysqlMode, reading: Reading, from: number) {
    this.reading = reading
    this.finder = new Finder(({ emit, parameter }) => {
      const root = Object.assign(this.counter, { reading, ends: this.ends, secretParameters, emit, parameter })
      return readerOf(new SecretRules(root, 0), root)
    }, from)
  }

  feed(bytes: Buffer, start: number, end: number): void {
    this.finder.feed(bytes, start, end)
  }
}

function readerOf(rules: SecretRules, counter: TextCounter): SqlReader {
  return {
    get steps() {
      return counter.steps
    },
    feed: (bytes, start, end, from) => rules.lexer.feed(bytes, start, end, from),
    feedLiteral: (bytes) => {
      rules.literalStart(0)
      rules.content(bytes, 0, bytes.length, 0)
      rules.literalEnd(0, bytes.length)
    },
    finish: (end) => rules.finish(end),
  }
}
