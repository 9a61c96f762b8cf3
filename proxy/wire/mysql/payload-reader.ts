import { WireError } from '../wire-error.ts'

/** Reads one payload from its start; every read is checked against its end. */
export class PayloadReader {
  readonly #bytes: Buffer
  #at: number

  constructor(bytes: Buffer, start = 0) {
    this.#bytes = bytes
    this.#at = start
  }

  get left(): number {
    return this.#bytes.length - this.#at
  }

  byte(): number {
    return this.#bytes.readUInt8(this.#take(1))
  }

  uint16(): number {
    return this.#bytes.readUInt16LE(this.#take(2))
  }

  uint32(): number {
    return this.#bytes.readUInt32LE(this.#take(4))
  }

  /** A view, not a copy. */
  bytes(length: number): Buffer {
    const from = this.#take(length)
    return this.#bytes.subarray(from, from + length)
  }

  /** A length-encoded integer. @throws WireError for null, for what is no length, and above 2⁵³ */
  length(): number {
    const first = this.byte()
    if (first < 0xfb) return first
    if (first === 0xfc) return this.uint16()
    if (first === 0xfd) return this.uint16() + this.byte() * 0x1_0000
    if (first !== 0xfe) throw new WireError('invalid length-encoded integer')
    const low = this.uint32()
    const high = this.uint32()
    if (high > 0x1f_ffff) throw new WireError('a length-encoded integer is too large')
    return high * 0x1_0000_0000 + low
  }

  /** A length-encoded string, as a view. */
  string(): Buffer {
    return this.bytes(this.length())
  }

  /** A length-encoded string of a row in the text protocol; 0xFB is null. */
  value(): Buffer | null {
    if (this.left > 0 && this.#bytes[this.#at] === 0xfb) {
      this.#at += 1
      return null
    }
    return this.string()
  }

  /** Up to the next NUL, which is skipped. A view, not a copy. */
  cstring(): Buffer {
    const end = this.#bytes.indexOf(0, this.#at)
    if (end < 0) throw new WireError('a string is not terminated within its packet')
    const from = this.#at
    this.#at = end + 1
    return this.#bytes.subarray(from, end)
  }

  rest(): Buffer {
    return this.bytes(this.left)
  }

  #take(length: number): number {
    if (length > this.left) throw new WireError('insufficient data left in packet')
    const from = this.#at
    this.#at = from + length
    return from
  }
}
