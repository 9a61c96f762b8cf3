const pageBytes = 4096

interface Page {
  readonly bytes: Buffer
  used: number
}

/**
 * What a client may not have got, so that it can be sent again. Copied into pages, since a terminal's echo comes one byte at a time.
 * Positions are bytes since the beginning.
 */
export class KeptOutput {
  readonly #pages: Page[] = []
  /** Of the first page, not kept any more. */
  #released = 0
  #from: number
  #to: number

  /** @param at position of the next byte */
  constructor(at: number) {
    this.#from = at
    this.#to = at
  }

  /** Position of the oldest byte that is kept. */
  get from(): number {
    return this.#from
  }

  get bytes(): number {
    return this.#to - this.#from
  }

  push(bytes: Buffer): void {
    for (let at = 0; at < bytes.length; ) {
      let page = this.#pages.at(-1)
      if (!page || page.used === page.bytes.length) {
        page = { bytes: Buffer.allocUnsafeSlow(Math.max(pageBytes, bytes.length - at)), used: 0 }
        this.#pages.push(page)
      }
      const copied = bytes.copy(page.bytes, page.used, at)
      page.used += copied
      at += copied
    }
    this.#to += bytes.length
  }

  /** What comes before this position is not needed any more. */
  release(to: number): void {
    for (let page = this.#pages[0]; page && to - this.#from >= page.used - this.#released; page = this.#pages[0]) {
      this.#from += page.used - this.#released
      this.#released = 0
      this.#pages.shift()
    }
    if (to <= this.#from || this.#pages.length === 0) return
    this.#released += to - this.#from
    this.#from = to
  }

  /** Keeps the newest alone. */
  trim(most: number): void {
    if (this.bytes > most) this.release(this.#to - most)
  }

  all(): Buffer {
    const [first, ...others] = this.#pages.map(({ bytes, used }) => bytes.subarray(0, used))
    return first ? Buffer.concat([first.subarray(this.#released), ...others]) : Buffer.alloc(0)
  }
}
