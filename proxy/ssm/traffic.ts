const fadingMs = 1000

/** How much has passed of late: what is older counts ever less, so that of a steady flow it is one second's. */
export class Traffic {
  #bytes = 0
  #at = 0

  /** @param now milliseconds of a clock that never goes back */
  add(bytes: number, now: number): void {
    this.#bytes = this.recentBytes(now) + bytes
    this.#at = now
  }

  recentBytes(now: number): number {
    return this.#bytes * Math.exp((this.#at - now) / fadingMs)
  }
}
