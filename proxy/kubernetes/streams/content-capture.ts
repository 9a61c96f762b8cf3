import type { Hmac } from 'node:crypto'
import type { Digests } from '../../recording/digests.ts'

/** Recorded of a stream that is text. */
const keptBytes = 1024 * 1024

/** Size of what passed, and the HMAC of all of it where not all is recorded. */
export interface ContentSize {
  readonly bytes: number
  readonly hmac?: string
}

/**
 * One stream of a program without a terminal: what it carries may be an archive of gigabytes, so that it is recorded while it is text, and not
 * longer than 1 MiB; of the rest its size and digest.
 */
export class ContentCapture {
  readonly #hmac: Hmac
  #isKept: boolean
  #bytes = 0

  /** @param isKept false: nothing of it is to be recorded */
  constructor(digests: Digests, isKept: boolean) {
    this.#hmac = digests.begin()
    this.#isKept = isKept
  }

  /** @returns whether these bytes are to be recorded; else, once, why no more are */
  take(bytes: Buffer): boolean | string {
    this.#hmac.update(bytes)
    this.#bytes += bytes.length
    if (!this.#isKept) return false
    const isBinary = bytes.includes(0)
    this.#isKept = !isBinary && this.#bytes <= keptBytes
    return this.#isKept || (isBinary ? 'it is binary' : 'it is longer than 1 MiB')
  }

  /** Passed so far, where not all of it is on record; else 0. */
  get unrecorded(): number {
    return this.#isKept ? 0 : this.#bytes
  }

  /** Null: nothing has passed. To be called once. */
  end(): ContentSize | null {
    if (this.#bytes === 0) return null
    return this.#isKept ? { bytes: this.#bytes } : { bytes: this.#bytes, hmac: this.#hmac.digest('hex') }
  }
}
