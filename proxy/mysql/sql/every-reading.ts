import { type MysqlMode, type Reading, readingsOf, type TextCounter } from './reading.ts'
import type { StatementEnds } from './statement-ends.ts'

/** Reads a text in one way. */
export interface OneReading {
  readonly reading: Reading
  readonly counter: TextCounter
  readonly ends: StatementEnds
  /** @param from offset of `bytes[start]` */
  feed(bytes: Buffer, start: number, end: number, from: number): void
}

/** Bounds what is noted of a piece. */
const sliceBytes = 4096
/** Texts of this length are read once more, where the character set makes a difference. */
const keptBytes = 8192

export interface Everything<R> {
  readonly readers: readonly R[]
  /** From some place on the text can be read in more ways than these readers have. */
  readonly isUncertain: boolean
}

/**
 * Reads one text from its first byte to its last, in pieces of any size, in each way that its server may read it. Behind a statement
 * that may change how texts are read, such as `SET sql_mode`, that is every way. Its cost is linear, and it keeps none of a long text.
 */
export class EveryReading<R extends OneReading> {
  readonly #mode: MysqlMode
  readonly #most: number
  readonly #make: (reading: Reading, from: number) => R
  readonly #everyWay: readonly Reading[]
  readonly #readers: R[]
  #length = 0
  #kept: Buffer | undefined
  #areTooMany = false

  /**
   * @param most readers at once
   * @param make a reader of the text from this offset on, where a statement begins
   */
  constructor(mode: MysqlMode, most: number, make: (reading: Reading, from: number) => R) {
    this.#mode = mode
    this.#most = most
    this.#make = make
    this.#readers = readingsOf(mode).map((reading) => make(reading, 0))
    this.#everyWay = readingsOf({ ...mode, backslashes: 'unknown', ansiQuotes: 'unknown' })
  }

  get readers(): readonly R[] {
    return this.#readers
  }

  get isUncertain(): boolean {
    return this.#areTooMany || this.#readers.some(({ counter }) => counter.differs)
  }

  feed(bytes: Buffer, start: number, end: number): void {
    this.#keep(bytes, start, end)
    for (let at = start; at < end; at += sliceBytes) this.#feed(bytes, at, Math.min(end, at + sliceBytes))
  }

  /** What came of it: a short text is read anew where that is of use. @param again reads it, instead of {@link feed} */
  finish(again = (every: EveryReading<R>, text: Buffer) => every.feed(text, 0, text.length)): Everything<R> {
    if (this.#mode.isEachCharset || this.#length > keptBytes || !this.isUncertain) return this
    const every = new EveryReading({ ...this.#mode, isEachCharset: true }, this.#most, this.#make)
    again(every, this.#kept?.subarray(0, this.#length) ?? Buffer.alloc(0))
    return every
  }

  #keep(bytes: Buffer, start: number, end: number): void {
    if (this.#mode.isEachCharset || this.#length + end - start > keptBytes) return
    this.#kept ??= Buffer.allocUnsafe(keptBytes)
    bytes.copy(this.#kept, this.#length, start, end)
  }

  #feed(bytes: Buffer, start: number, end: number): void {
    const from = this.#length
    this.#length += end - start
    for (const reader of this.#readers) read(reader, bytes, start, end, from)
    for (let at = this.#changeFrom(from); at < Number.POSITIVE_INFINITY; at = this.#changeFrom(at + 1))
      this.#widen(bytes, start + at - from, end, at)
  }

  /** The first place in what was fed last, not before `least`, behind a statement that may change how texts are read. */
  #changeFrom(least: number): number {
    let first = Number.POSITIVE_INFINITY
    for (const { ends } of this.#readers) first = Math.min(first, ends.changeFrom(least))
    return first
  }

  /** From there on the text is also read in the ways in which no reader is between two statements there. */
  #widen(bytes: Buffer, start: number, end: number, from: number): void {
    for (const reading of this.#everyWay) {
      if (this.#readers.some((one) => one.reading.key === reading.key && one.ends.all.has(from))) continue
      if (this.#readers.length >= this.#most) {
        this.#areTooMany = true
        return
      }
      const reader = this.#make(reading, from)
      read(reader, bytes, start, end, from)
      this.#readers.push(reader)
    }
  }
}

function read(reader: OneReading, bytes: Buffer, start: number, end: number, from: number): void {
  reader.ends.clear()
  reader.feed(bytes, start, end, from)
}
