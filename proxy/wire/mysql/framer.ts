/**
 * The packets that a server sends after the sign-in (MySQL documentation, "MySQL Packets"): int<3> length, int<1> sequence id,
 * payload. A payload of 16 MB − 1 bytes and more comes in pieces, of which the last is shorter and may be empty.
 */
import { WireError } from '../wire-error.ts'

/** A piece of this size is followed by another. */
export const fullPiece = 0xff_ffff
const headerBytes = 4
const errorByte = 0xff
const none = Buffer.alloc(0)
/** What is kept for the next payload of the same size; one long error must not cost an idle session memory. */
const mostReused = 4096

/** Gets what a {@link Framer} finds. Bytes are valid during the call only. */
export interface PayloadSink {
  /** A payload is whole in its chunk: `bytes[start, end)`. @returns false: stop before it */
  whole(bytes: Buffer, start: number, end: number): boolean
  /**
   * A payload begins that is not whole in its chunk.
   * @param length of its first piece
   * @returns how many of its bytes are to be collected, from its start; −1: stop before it
   */
  begin(first: number, length: number): number
  /** That payload has ended. @param collected as much of it as `begin` asked for @param isWhole that is all of it */
  end(collected: Buffer, isWhole: boolean): void
}

/**
 * Finds payloads in a stream of chunks without holding it up: headers are read in place, payloads are skipped by their length,
 * and only what the sink asks for is copied. Never allocates by a declared length.
 */
export class Framer {
  readonly #sink: PayloadSink
  /** Id that the next packet must have; −1: any. */
  next = -1
  #nextAtStart = -1
  #isScanning = false
  /** Bytes of a header that are here, when a chunk ended inside it. */
  #headed = 0
  #header = 0
  /** Of a first piece whose header is here, and its first byte is not. */
  #isUnopened = false
  /** The piece under way is followed by another. */
  #isSplit = false
  /** Within a payload, or between two of its pieces. */
  #isInside = false
  /** Bytes of the piece still to come. */
  #need = 0
  #length = 0
  #want = 0
  #have = 0
  #collected = none

  constructor(sink: PayloadSink) {
    this.#sink = sink
  }

  /** True between payloads. */
  get atBoundary(): boolean {
    return !this.#isInside && this.#headed === 0
  }

  /** A chunk ended inside the header of a first piece: it was passed on, and the sink does not know of it yet. */
  get inHeader(): boolean {
    return (this.#headed > 0 && !this.#isInside) || this.#isUnopened
  }

  /** Id of the packet that follows what has gone on: of a chunk that could not be read, nothing has. −1: as of {@link next}. */
  get nextToSend(): number {
    return this.#isScanning ? this.#nextAtStart : this.next
  }

  /**
   * @returns how many bytes of the chunk may go on: all, or those before the payload at which the sink stopped
   * @throws WireError for a packet out of order; then none may
   */
  scan(chunk: Buffer): number {
    this.#nextAtStart = this.next
    this.#isScanning = true
    const go = this.#scan(chunk)
    this.#isScanning = false
    return go
  }

  #scan(chunk: Buffer): number {
    const end = chunk.length
    let at = 0
    if (!this.atBoundary) {
      at = this.#resume(chunk, 0)
      if (at < 0) return 0
    }
    while (at < end) {
      const from = at + headerBytes
      const length =
        from <= end
          ? (chunk[at] as number) | ((chunk[at + 1] as number) << 8) | ((chunk[at + 2] as number) << 16)
          : fullPiece
      const to = from + length
      if (length === fullPiece || to > end) {
        const start = at
        const expected = this.next
        at = this.#resume(chunk, at)
        if (at >= 0) continue
        this.#leave(expected)
        return start
      }
      if (length === 0) throw emptyPacket()
      const expected = this.next
      this.#order(chunk[at + 3] as number, chunk[from] as number)
      if (!this.#sink.whole(chunk, from, to)) {
        this.next = expected
        return at
      }
      at = to
    }
    return end
  }

  /** Some servers number an error that nobody asked for from 0. */
  #order(sequence: number, first: number): void {
    if (this.next >= 0 && sequence !== this.next && first !== errorByte) throw new WireError('packets out of order')
    this.next = (sequence + 1) & 0xff
  }

  /** The payload at which the sink stopped has not begun. */
  #leave(expected: number): void {
    this.next = expected
    this.#isInside = false
    this.#isUnopened = false
    this.#need = 0
  }

  /** Reads on inside a header or a payload. @returns where it ends, or the chunk; −1: stop before it */
  #resume(chunk: Buffer, start: number): number {
    let at = start
    const end = chunk.length
    while (at < end) {
      if (this.#isUnopened) {
        if (!this.#open(chunk[at] as number)) return -1
      } else if (this.#need > 0) {
        at = this.#take(chunk, at)
        if (this.#need > 0) return at
        if (!this.#isSplit) {
          this.#finish()
          return at
        }
      } else {
        at = this.#readHeader(chunk, at)
        if (this.#headed > 0) return at
        if (this.#need === 0) {
          this.#finish()
          return at
        }
      }
    }
    return at
  }

  #readHeader(chunk: Buffer, start: number): number {
    let at = start
    while (at < chunk.length && this.#headed < headerBytes - 1) {
      if (this.#headed === 0) this.#header = 0
      this.#header += (chunk[at] as number) << (8 * this.#headed)
      this.#headed += 1
      at += 1
    }
    if (at === chunk.length) return at
    const sequence = chunk[at] as number
    this.#headed = 0
    this.#need = this.#header
    this.#isSplit = this.#header === fullPiece
    if (this.#isInside) this.#order(sequence, 0)
    else {
      if (this.#need === 0) throw emptyPacket()
      this.#sequence = sequence
      this.#isInside = true
      this.#isUnopened = true
    }
    return at + 1
  }

  /** Of a first piece, until its first byte is here. */
  #sequence = 0

  #open(first: number): boolean {
    this.#order(this.#sequence, first)
    this.#isUnopened = false
    const want = this.#sink.begin(first, this.#header)
    this.#want = Math.max(want, 0)
    this.#have = 0
    this.#length = 0
    return want >= 0
  }

  #take(chunk: Buffer, start: number): number {
    const end = Math.min(chunk.length, start + this.#need)
    const take = Math.min(end - start, this.#want - this.#have)
    if (take > 0) {
      if (this.#collected.length < this.#have + take) this.#grow(this.#have + take)
      chunk.copy(this.#collected, this.#have, start, start + take)
      this.#have += take
    }
    this.#length += end - start
    this.#need -= end - start
    return end
  }

  /** By doubling, and never beyond what has arrived by more than that. */
  #grow(least: number): void {
    const grown = Buffer.allocUnsafeSlow(Math.max(least, Math.min(this.#want, this.#collected.length * 2)))
    this.#collected.copy(grown, 0, 0, this.#have)
    this.#collected = grown
  }

  #finish(): void {
    const collected = this.#collected
    if (collected.length > mostReused) this.#collected = none
    this.#isInside = false
    this.#isSplit = false
    this.#sink.end(collected.subarray(0, this.#have), this.#have === this.#length)
  }
}

function emptyPacket(): WireError {
  return new WireError('an empty packet')
}
