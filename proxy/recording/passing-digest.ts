import type { Hmac } from 'node:crypto'
import type { Digests } from './digests.ts'

const bufferBytes = 64 * 1024

/** The data of a COPY: payload of its CopyData messages, whose boundaries are not those of rows. */
export interface Copied {
  readonly bytes: number
  readonly messages: number
  /** HMAC-SHA-256 of all its bytes, under the key of the recording. Absent when the COPY did not complete. */
  readonly hmac?: string
}

/**
 * Size and digest of what a COPY moves. Rows are short, and hashing each alone would cost more than relaying it, so they are
 * collected first.
 */
export class CopyDigest {
  readonly #hmac: Hmac
  readonly #gathered = Buffer.allocUnsafeSlow(bufferBytes)
  #used = 0
  #bytes = 0
  #messages = 0

  constructor(digests: Digests) {
    this.#hmac = digests.begin()
  }

  add(bytes: Buffer, start: number, end: number): void {
    const length = end - start
    const isLong = length > bufferBytes / 2
    this.#bytes += length
    if (isLong || this.#used + length > bufferBytes) this.#flush()
    if (isLong) {
      this.#hmac.update(bytes.subarray(start, end))
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
    return { ...size, hmac: this.#hmac.digest('hex') }
  }

  #flush(): void {
    if (this.#used > 0) this.#hmac.update(this.#gathered.subarray(0, this.#used))
    this.#used = 0
  }
}
