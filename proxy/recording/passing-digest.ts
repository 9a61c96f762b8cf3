import { createHash } from 'node:crypto'

const bufferBytes = 64 * 1024

/** The data of a COPY: payload of its CopyData messages, whose boundaries are not those of rows. */
export interface Copied {
  readonly bytes: number
  readonly messages: number
  /** Absent when the COPY did not complete. */
  readonly sha256?: string
}

/**
 * Size and SHA-256 of what a COPY moves. Rows are short, and hashing each alone would cost more than relaying it, so they are
 * collected first.
 */
export class CopyDigest {
  readonly #hash = createHash('sha256')
  readonly #gathered = Buffer.allocUnsafeSlow(bufferBytes)
  #used = 0
  #bytes = 0
  #messages = 0

  add(bytes: Buffer, start: number, end: number): void {
    const length = end - start
    const isLong = length > bufferBytes / 2
    this.#bytes += length
    if (isLong || this.#used + length > bufferBytes) this.#flush()
    if (isLong) {
      this.#hash.update(bytes.subarray(start, end))
      return
    }
    bytes.copy(this.#gathered, this.#used, start, end)
    this.#used += length
  }

  /** A message of it is complete. */
  count(): void {
    this.#messages += 1
  }

  /** Nothing may be added afterwards. */
  finish(isWhole: boolean): Copied {
    const size = { bytes: this.#bytes, messages: this.#messages }
    if (!isWhole) return size
    this.#flush()
    return { ...size, sha256: this.#hash.digest('hex') }
  }

  #flush(): void {
    if (this.#used > 0) this.#hash.update(this.#gathered.subarray(0, this.#used))
    this.#used = 0
  }
}
