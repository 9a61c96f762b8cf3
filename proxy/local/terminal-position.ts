/** The broker sends four times as much before it waits for us. */
const ackEveryBytes = 64 * 1024
/** Typed and not known to have arrived, at most. */
const mostTypedBytes = 1024 * 1024

/**
 * Where the client of a terminal stands, so that it goes on with the session on another connection: neither output nor what was typed is
 * lost or doubled. Used by the command and by the page.
 */
export class TerminalPosition {
  #received = 0
  #shown = 0
  #acknowledged = 0
  #typed = 0
  /** Its end is at `#typed`. */
  readonly #unconfirmed: Uint8Array<ArrayBuffer>[] = []
  #unconfirmedBytes = 0

  /** Bytes of the terminal that have arrived. */
  get received(): number {
    return this.#received
  }

  receive(bytes: number): void {
    this.#received += bytes
  }

  /** @returns what is to be acknowledged now; undefined: nothing yet */
  show(bytes: number): number | undefined {
    this.#shown += bytes
    return this.#shown - this.#acknowledged < ackEveryBytes ? undefined : this.acknowledge()
  }

  /** Now and then, so that the broker need not keep it. @returns undefined: nothing new was shown */
  acknowledge(): number | undefined {
    if (this.#shown <= this.#acknowledged) return undefined
    this.#acknowledged = this.#shown
    return this.#acknowledged
  }

  type(bytes: Uint8Array<ArrayBuffer>): void {
    this.#typed += bytes.length
    this.#unconfirmed.push(bytes)
    this.#unconfirmedBytes += bytes.length
    while (this.#unconfirmedBytes > mostTypedBytes) this.#unconfirmedBytes -= this.#unconfirmed.shift()?.length ?? 0
  }

  /** @param typed bytes that have arrived at the broker */
  confirm(typed: number): void {
    const left = Math.max(0, this.#typed - typed)
    for (let first = this.#unconfirmed[0]; first && this.#unconfirmedBytes > left; first = this.#unconfirmed[0]) {
      const over = Math.min(first.length, this.#unconfirmedBytes - left)
      this.#unconfirmedBytes -= over
      if (over === first.length) this.#unconfirmed.shift()
      else this.#unconfirmed[0] = first.subarray(over)
    }
  }

  /**
   * The session goes on on another connection.
   * @param skipped bytes that the broker did not keep
   * @param typed bytes that have arrived there
   * @returns what was typed and has not; undefined: some of it is not kept any more, so that none is to be sent
   */
  resume(skipped: number, typed: number): readonly Uint8Array<ArrayBuffer>[] | undefined {
    this.#received += skipped
    this.#shown += skipped
    this.#acknowledged = this.#received // the broker knows what we have
    this.confirm(typed)
    const isWhole = this.#unconfirmedBytes === this.#typed - typed
    if (isWhole) return [...this.#unconfirmed]
    this.#typed = typed
    this.#unconfirmed.splice(0)
    this.#unconfirmedBytes = 0
    return undefined
  }
}
