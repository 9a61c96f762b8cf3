import { WireError } from '../wire-error.ts'

/** Longest body of each type of message, by its byte; 0: no such type in this direction. */
export type SizeTable = Uint32Array

const gigabyte = 0x3fff_ffff - 4
/** PostgreSQL's own classes (PG 14 and later). */
const small = 10_000
/** libpq's, for what a server sends. */
const medium = 30_000

function sizes(classes: Readonly<Record<string, number>>): SizeTable {
  const table = new Uint32Array(256)
  for (const [letters, size] of Object.entries(classes))
    for (const letter of letters) table[letter.charCodeAt(0)] = size
  return table
}

/** What a signed-in client may send. `p` (passwords) is not among it. */
export const frontendSizes: SizeTable = sizes({ QPBFd: gigabyte, EDCSHXcf: small })

/** What a server may send to a signed-in client. `R`, `K`, `v` (sign-in) and `W` (replication) are not among it. */
export const backendSizes: SizeTable = sizes({ TDdVENA: gigabyte, t: 300_000, '123nsICcZSGH': medium })

/** Gets what a {@link Framer} finds. Bytes are valid during the call only. */
export interface FrameSink {
  /**
   * A message that is not whole in its chunk begins.
   * @returns how many bytes of its body are to be collected (from its start, for `message`); −1: stop before it
   */
  begin(type: number, length: number): number
  /** More of the body of the message that began last: every byte of it, in order. */
  part(type: number, bytes: Buffer, start: number, end: number): void
  /**
   * A message is complete. `bytes[start, end)` is its body, or as much of it as `begin` asked for.
   * @param length of the whole body
   * @returns false: stop before this message. Only heeded when the message was whole in its chunk.
   */
  message(type: number, bytes: Buffer, start: number, end: number, length: number): boolean
}

const headerBytes = 5
const none = Buffer.alloc(0)

/**
 * Finds the messages in a stream of chunks without holding the stream up: headers are read in place, bodies are skipped
 * by their length, and only what the sink asks for is copied. Never allocates by a declared length.
 */
export class Framer {
  readonly #sizes: SizeTable
  readonly #sink: FrameSink
  #type = 0
  #length = 0
  /** Bytes of the header that are here, when a chunk ended inside it. */
  #headed = 0
  #declared = 0
  /** Bytes of the body still to come. */
  #need = 0
  #want = 0
  #have = 0
  #collected: Buffer = none

  constructor(sizes: SizeTable, sink: FrameSink) {
    this.#sizes = sizes
    this.#sink = sink
  }

  /** True between messages. */
  get atBoundary(): boolean {
    return this.#need === 0 && this.#headed === 0
  }

  /** A chunk ended inside a header: its first bytes were passed on, and the sink does not know of it yet. */
  get inHeader(): boolean {
    return this.#headed > 0
  }

  /** Bytes missing of the message under way; its header counts as missing bytes only as far as it is known. */
  get missing(): number {
    return this.#headed > 0 ? headerBytes - this.#headed : this.#need
  }

  /**
   * @returns how many bytes of the chunk may go on: all, or those before the message at which the sink stopped
   * @throws WireError for an unknown type or a length that the type can't have; then none may
   */
  scan(chunk: Buffer): number {
    const end = chunk.length
    let at = this.#need > 0 ? this.#continueBody(chunk) : this.#headed > 0 ? this.#continueHeader(chunk) : 0
    if (at < 0) return 0
    while (at < end) {
      if (end - at < headerBytes) return this.#keepHeader(chunk, at)
      const type = chunk[at] as number
      // Unsigned: a length of 2³¹ or more must not look negative.
      const declared =
        (chunk[at + 1] as number) * 0x100_0000 +
        ((chunk[at + 2] as number) << 16) +
        ((chunk[at + 3] as number) << 8) +
        (chunk[at + 4] as number)
      const length = this.#check(type, declared)
      const from = at + headerBytes
      const to = from + length
      if (to <= end) {
        if (!this.#sink.message(type, chunk, from, to, length)) return at
        at = to
      } else {
        if (!this.#begin(type, length)) return at
        this.#take(chunk, from, end)
        return end
      }
    }
    return end
  }

  #check(type: number, declared: number): number {
    const limit = this.#sizes[type] as number
    if (limit === 0) throw new WireError(`invalid message type ${type}`)
    if (declared < 4 || declared - 4 > limit) throw new WireError(`invalid length of message type ${type}`)
    return declared - 4
  }

  #begin(type: number, length: number): boolean {
    const want = this.#sink.begin(type, length)
    if (want < 0) return false
    this.#type = type
    this.#length = length
    this.#need = length
    this.#want = want
    this.#have = 0
    return true
  }

  /** Bytes of a body, up to `end` of the chunk at most. @returns where the body ends, or the chunk */
  #take(chunk: Buffer, start: number, end: number): number {
    const stop = Math.min(end, start + this.#need)
    if (stop === start) return stop
    this.#collect(chunk, start, stop)
    this.#sink.part(this.#type, chunk, start, stop)
    this.#need -= stop - start
    return stop
  }

  #collect(chunk: Buffer, start: number, end: number): void {
    const take = Math.min(end - start, this.#want - this.#have)
    if (take <= 0) return
    if (this.#collected.length < this.#have + take) this.#grow(this.#have + take)
    chunk.copy(this.#collected, this.#have, start, start + take)
    this.#have += take
  }

  /** By doubling, and never beyond what has arrived by more than that. */
  #grow(least: number): void {
    const grown = Buffer.allocUnsafeSlow(Math.max(least, Math.min(this.#want, this.#collected.length * 2)))
    this.#collected.copy(grown, 0, 0, this.#have)
    this.#collected = grown
  }

  #continueBody(chunk: Buffer): number {
    const at = this.#take(chunk, 0, chunk.length)
    if (this.#need === 0) this.#finish()
    return at
  }

  #finish(): void {
    const collected = this.#collected
    if (collected.length > 4096) this.#collected = none // one long statement must not cost an idle session memory
    this.#sink.message(this.#type, collected, 0, this.#have, this.#length)
  }

  #keepHeader(chunk: Buffer, at: number): number {
    for (; at < chunk.length; at += 1) this.#addHeader(chunk[at] as number)
    return at
  }

  #addHeader(byte: number): void {
    if (this.#headed === 0) {
      if (this.#sizes[byte] === 0) throw new WireError(`invalid message type ${byte}`)
      this.#type = byte
      this.#declared = 0
    } else this.#declared = this.#declared * 256 + byte
    this.#headed += 1
  }

  /** @returns where the next message begins in the chunk; −1: stop before this one */
  #continueHeader(chunk: Buffer): number {
    let at = 0
    while (at < chunk.length && this.#headed < headerBytes) {
      this.#addHeader(chunk[at] as number)
      at += 1
    }
    if (this.#headed < headerBytes) return at
    this.#headed = 0
    const length = this.#check(this.#type, this.#declared)
    if (!this.#begin(this.#type, length)) {
      this.#need = Math.max(1, length) // part of its header has gone on already, so this is no boundary
      return -1
    }
    if (length > 0) at = this.#take(chunk, at, chunk.length)
    if (this.#need === 0) this.#finish()
    return at
  }
}
