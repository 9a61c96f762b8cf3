/** Chunked bodies (RFC 9112, 7.1), followed without being taken apart: what passes keeps its form. */
import { WireError } from '../wire-error.ts'

/** Of the line before a chunk, with its extensions. */
const mostLine = 256
const mostTrailers = 16 * 1024
const lineFeed = 0x0a

type Part = 'size' | 'data' | 'end-of-data' | 'trailer' | 'over'

/** Where a chunked body ends. */
export class Chunks {
  #part: Part = 'size'
  /** Of the data of a chunk, and the line feed behind it. */
  #left = 0
  /** A line that is not whole, latin1. */
  #line = ''
  #trailers = 0
  #lastByte = lineFeed
  /** Of the data that has passed. */
  dataBytes = 0

  get isOver(): boolean {
    return this.#part === 'over'
  }

  /** What has passed is whole chunks, with a line feed at the end of the last one's data or nothing at all. */
  get isAfterLine(): boolean {
    return this.#part === 'size' && this.#line === '' && this.#lastByte === lineFeed
  }

  /** @returns where what belongs to the body ends: before the end of the bytes only if it is over @throws WireError */
  follow(bytes: Buffer, from: number): number {
    let at = from
    while (at < bytes.length && this.#part !== 'over')
      at = this.#part === 'data' ? this.#skip(bytes, at) : this.#readLine(bytes, at)
    return at
  }

  #skip(bytes: Buffer, from: number): number {
    const end = Math.min(from + this.#left, bytes.length)
    this.#left -= end - from
    this.dataBytes += end - from
    this.#lastByte = bytes[end - 1] ?? 0
    if (this.#left === 0) this.#part = 'end-of-data'
    return end
  }

  #readLine(bytes: Buffer, from: number): number {
    const at = bytes.indexOf(lineFeed, from)
    const end = at < 0 ? bytes.length : at + 1
    if (this.#line.length + end - from > mostLine + mostTrailers) throw new WireError('a line that is too long')
    this.#line += bytes.toString('latin1', from, end)
    if (this.#part !== 'trailer' && this.#line.length > mostLine) throw new WireError('a line that is too long')
    if (at < 0) return end
    const line = this.#line
    this.#line = ''
    if (!line.endsWith('\r\n')) throw new WireError('a line that ends without a carriage return')
    this.#take(line.slice(0, -2))
    return end
  }

  #take(line: string): void {
    if (this.#part === 'size') this.#takeSize(line)
    else if (this.#part === 'end-of-data') {
      if (line !== '') throw new WireError('a chunk that is longer than it says')
      this.#part = 'size'
    } else if (line === '') this.#part = 'over'
    else {
      this.#trailers += line.length
      const isField = /^[!#$%&'*+.^`|~\w-]+:[\t -~\x80-\xff]*$/.test(line)
      if (!isField || this.#trailers > mostTrailers) throw new WireError('a trailer that is no field')
    }
  }

  /** What extends it means nothing here, and goes on. */
  #takeSize(line: string): void {
    const [, digits = ''] = /^([0-9A-Fa-f]{1,12})(?:[\t ]*;[\t -~]*)?$/.exec(line) ?? []
    if (digits === '') throw new WireError('a chunk without a size')
    this.#left = Number.parseInt(digits, 16)
    this.#part = this.#left === 0 ? 'trailer' : 'data'
  }
}
