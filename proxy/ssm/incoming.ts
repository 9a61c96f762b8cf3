import type { MessageReader } from '../wire/ssm/message.ts'

/** Of the payload and its place in the map. */
const overheadBytes = 100

interface Stored {
  readonly payloadType: number
  readonly payload: Buffer
}

/** Puts the agent's messages into their order. What does not fit is left to be sent again. */
export class Incoming {
  readonly #maxBytes: number
  readonly #deliver: (payloadType: number, payload: Buffer) => void
  readonly #early = new Map<number, Stored>()
  #bytes = 0
  /** Sequence number of what is due. */
  #expected = 0

  /** @param maxBytes of messages that came before an older one */
  constructor(maxBytes: number, deliver: (payloadType: number, payload: Buffer) => void) {
    this.#maxBytes = maxBytes
    this.#deliver = deliver
  }

  /**
   * Delivers it, and what waited for it, or stores it.
   * @returns whether to acknowledge it. A duplicate is acknowledged again: only the oldest message is ever resent, so that one lost
   * acknowledgement would stop all that follow
   * @throws what `deliver` throws; then it counts as not received
   */
  receive({ sequence, payloadType, payload }: MessageReader): boolean {
    if (sequence > this.#expected) return this.#store(sequence, payloadType, payload)
    if (sequence < this.#expected) return true
    this.#deliver(payloadType, payload)
    this.#expected += 1
    return true
  }

  /** Delivers what waited for what was received. */
  deliverEarly(): void {
    for (;;) {
      const stored = this.#early.get(this.#expected)
      if (!stored) return
      this.#deliver(stored.payloadType, stored.payload)
      this.#early.delete(this.#expected)
      this.#bytes -= stored.payload.length + overheadBytes
      this.#expected += 1
    }
  }

  #store(sequence: number, payloadType: number, payload: Buffer): boolean {
    if (this.#early.has(sequence)) return true
    const bytes = payload.length + overheadBytes
    if (this.#bytes + bytes > this.#maxBytes) return false
    this.#bytes += bytes
    this.#early.set(sequence, { payloadType, payload: Buffer.from(payload) }) // a view would keep more than its own bytes
    return true
  }
}
