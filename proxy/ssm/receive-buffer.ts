import type { Readable } from 'node:stream'

/** What one part costs besides its bytes: objects, and its place in a list. */
const overheadBytes = 256
/** Of one chunk for the reader. */
const mostChunkBytes = 64 * 1024
/** What comes at once is one chunk, up to so much. */
const gatheredBytes = 32 * 1024

/**
 * What was received and is not read yet, in front of a readable stream whose `readableHighWaterMark` is 0. Counts what is held, not
 * only what is shown: what waits is copied, since a view keeps all that came with it, and becomes one chunk.
 */
export class ReceiveBuffer {
  readonly #stream: Readable
  readonly #mostBytes: number
  #parts: Buffer[] = []
  #bytes = 0
  #isWanted = false
  /** The reader gets what there is before anything else happens. */
  #isDue = false
  /** Of those parts that it gets then. */
  #hasViews = false
  #isEnded = false
  readonly #deliver = (): void => {
    this.#isDue = false
    if (this.#isWanted && this.#parts.length > 0) this.wanted()
  }

  /** @param mostBytes held before it is full; what comes nevertheless is taken */
  constructor(stream: Readable, mostBytes: number) {
    this.#stream = stream
    this.#mostBytes = mostBytes
  }

  /** Held in memory, with what each part costs. */
  get heldBytes(): number {
    return this.#bytes + this.#stream.readableLength
  }

  get isFull(): boolean {
    return this.heldBytes >= this.#mostBytes
  }

  add(part: Buffer): void {
    if (this.#isEnded || part.length === 0) return
    this.#bytes += part.length + overheadBytes
    if (!this.#isWanted) {
      this.#parts.push(concat([part], part.length))
      return
    }
    this.#parts.push(part)
    this.#hasViews = true
    if (this.#bytes >= gatheredBytes) this.wanted()
    else if (!this.#isDue) {
      this.#isDue = true
      process.nextTick(this.#deliver)
    }
  }

  /** Nothing more comes: the stream ends after what is there. */
  end(): void {
    this.#isEnded = true
    if (this.#isWanted || this.#parts.length === 0) this.wanted()
  }

  /** For `_read`. */
  wanted(): void {
    this.#isWanted = this.#parts.length === 0
    if (this.#parts.length > 0) this.#stream.push(this.#takeChunk())
    else if (this.#isEnded) this.#stream.push(null)
  }

  clear(): void {
    this.#parts = []
    this.#bytes = 0
  }

  #takeChunk(): Buffer {
    let length = 0
    let count = 0
    for (const part of this.#parts) {
      if (count > 0 && length + part.length > mostChunkBytes) break
      length += part.length
      count += 1
    }
    const taken = this.#parts.splice(0, count)
    this.#bytes -= length + count * overheadBytes
    const [first] = taken
    const isView = this.#hasViews
    this.#hasViews &&= this.#parts.length > 0
    return first && taken.length === 1 && !isView ? first : concat(taken, length)
  }
}

/** Not of Node's pool, of which a small buffer keeps the whole. */
function concat(parts: readonly Buffer[], length: number): Buffer {
  const bytes = Buffer.allocUnsafeSlow(length)
  let at = 0
  for (const part of parts) {
    bytes.set(part, at)
    at += part.length
  }
  return bytes
}
