import { WireError } from '../wire-error.ts'

/** Reads the body of one message from its start; every read is checked against its end. */
export class BodyReader {
  readonly #bytes: Buffer
  readonly #end: number
  #at: number

  constructor(bytes: Buffer, start = 0, end = bytes.length) {
    this.#bytes = bytes
    this.#at = start
    this.#end = end
  }

  get left(): number {
    return this.#end - this.#at
  }

  byte(): number {
    return this.#bytes.readUInt8(this.#take(1))
  }

  /** Counts and formats; PostgreSQL reads them unsigned. */
  int16(): number {
    return this.#bytes.readUInt16BE(this.#take(2))
  }

  int32(): number {
    return this.#bytes.readInt32BE(this.#take(4))
  }

  uint32(): number {
    return this.#bytes.readUInt32BE(this.#take(4))
  }

  /** A view, not a copy. */
  bytes(length: number): Buffer {
    const from = this.#take(length)
    return this.#bytes.subarray(from, from + length)
  }

  /** Up to the next NUL, which is skipped. A view, not a copy. */
  cstring(): Buffer {
    const end = this.#bytes.indexOf(0, this.#at)
    if (end < 0 || end >= this.#end) throw new WireError('a string is not terminated within its message')
    const from = this.#at
    this.#at = end + 1
    return this.#bytes.subarray(from, end)
  }

  text(): string {
    return this.cstring().toString('utf8')
  }

  /** int16 count, then as many items. `size`: least bytes of one, so that a count can't claim more than the message holds. */
  list<T>(size: number, read: () => T): T[] {
    const count = this.int16()
    if (count * size > this.left) throw new WireError('a list is longer than its message')
    return Array.from({ length: count }, read)
  }

  /** int32 length and that many bytes; −1 is null. */
  value(): Buffer | null {
    const length = this.int32()
    return length === -1 ? null : this.bytes(length)
  }

  rest(): Buffer {
    return this.bytes(this.left)
  }

  /** @throws WireError when bytes are left: what isn't read here must not be read differently elsewhere */
  finish(): void {
    if (this.left > 0) throw new WireError('invalid message format: bytes after the end')
  }

  #take(length: number): number {
    if (length < 0 || length > this.left) throw new WireError('insufficient data left in message')
    const from = this.#at
    this.#at = from + length
    return from
  }
}
