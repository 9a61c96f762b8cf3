import type { Counter } from './tokens.ts'

/** Drives a lexer over a text in pieces of any size. Each byte is looked at once; none is kept. */
export abstract class Scanner {
  readonly #counter: Counter
  readonly #one = Buffer.alloc(1)
  /** Where the last byte ended. */
  protected end = 0
  /** Bytes of the text that the current byte is written as. */
  protected width = 1

  constructor(counter: Counter) {
    this.#counter = counter
  }

  /** @param from offset of `bytes[start]` */
  feed(bytes: Buffer, start: number, end: number, from: number): void {
    this.width = 1
    this.#counter.steps += end - start
    this.#run(bytes, start, end, from - start)
  }

  /** One byte that is written as several. */
  feedEscaped(byte: number, from: number, to: number): void {
    this.#one[0] = byte
    this.width = to - from
    this.#counter.steps += 1
    this.#run(this.#one, 0, 1, from)
  }

  #run(bytes: Buffer, start: number, end: number, shift: number): void {
    for (let i = start; i < end; ) {
      const next = this.skip(bytes, i, end, shift)
      if (next > i) {
        this.end = next - 1 + shift + this.width
        i = next
        continue
      }
      if (!this.step(bytes[i] as number, i + shift)) continue // the state has changed: the same byte again
      this.end = i + shift + this.width
      i += 1
    }
  }

  /** Runs that cannot change the state. @returns where the run ends */
  protected abstract skip(bytes: Buffer, at: number, end: number, shift: number): number

  /** @param at offset of the byte @returns false: not consumed */
  protected abstract step(byte: number, at: number): boolean
}
