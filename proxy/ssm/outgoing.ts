import { RoundTrip } from './round-trip.ts'

/** How often to look for messages that are to be sent again, while any is unacknowledged. */
export const resendEveryMs = 100
/** The plugin sends its oldest message 3,000 times, each 100 ms. */
export const longestUnacknowledgedMs = 300_000
/** Of one look, so that an agent that is slow to acknowledge is not flooded. */
const mostResent = 64

interface Sent {
  /** Null: acknowledged, before an older one. */
  bytes: Buffer | null
  readonly length: number
  /** −1: not yet, or not on this connection. */
  sentAt: number
}

/**
 * Messages that the agent has not acknowledged, oldest first. Each is kept until it is: agents take them in order, so that one
 * that is forgotten would stop all that follow. Sequence numbers run on across connections.
 */
export class Outgoing {
  readonly roundTrip = new RoundTrip()
  readonly #windowBytes: number
  readonly #transmit: (bytes: Buffer) => void
  /** From the sequence number `#base` on, those before `#first` aside. */
  #sent: Sent[] = []
  /** Of the oldest in `#sent`. */
  #base = 0
  #first = 0
  /** Of the oldest and all that follow it: agents store what comes before an older one. */
  #bytes = 0
  /** One more than the highest that was acknowledged. */
  #acknowledged = 0
  #isHeld = true
  /** When the oldest became the oldest, or was first sent on this connection. */
  #waitingSince = 0

  /** @param windowBytes from the oldest unacknowledged message on, before who sends is asked to wait */
  constructor(windowBytes: number, transmit: (bytes: Buffer) => void) {
    this.#windowBytes = windowBytes
    this.#transmit = transmit
  }

  /** Sequence number of what is added next. */
  get next(): number {
    return this.#base + this.#sent.length - this.#first
  }

  get hasRoom(): boolean {
    return !this.#isHeld && this.#bytes < this.#windowBytes
  }

  get isEmpty(): boolean {
    return this.#first === this.#sent.length
  }

  /** The message with the number {@link next}. @param now milliseconds of a clock that never goes back */
  add(bytes: Buffer, now: number): void {
    if (this.isEmpty) this.#waitingSince = now
    const sent: Sent = { bytes, length: bytes.length, sentAt: -1 }
    this.#sent.push(sent)
    this.#bytes += bytes.length
    if (!this.#isHeld) this.#send(sent, now)
  }

  /** @returns whether this made room for what waits */
  acknowledge(sequence: number, now: number): boolean {
    const at = sequence - this.#base + this.#first
    const sent = at >= this.#first ? this.#sent[at] : undefined
    if (!sent?.bytes) return false // a duplicate, or of what was never sent
    const hadRoom = this.hasRoom
    if (sent.sentAt >= 0) this.roundTrip.sample(now - sent.sentAt)
    sent.bytes = null
    this.#acknowledged = Math.max(this.#acknowledged, sequence + 1)
    if (at === this.#first) this.#forget(now)
    return !hadRoom && this.hasRoom
  }

  #forget(now: number): void {
    for (let head = this.#sent[this.#first]; head?.bytes === null; head = this.#sent[this.#first]) {
      this.#bytes -= head.length
      this.#first += 1
      this.#base += 1
    }
    this.#waitingSince = now
    if (this.#first < 1024 && !this.isEmpty) return
    this.#sent = this.#sent.slice(this.#first)
    this.#first = 0
  }

  /** The agent is away, or the connection is lost: nothing is sent. @param isLost what was sent may not have arrived */
  hold(isLost: boolean): void {
    this.#isHeld = true
    if (!isLost) return
    for (const sent of this.#sent) sent.sentAt = -1
  }

  /** The oldest waits from now on: no acknowledgement could be read until now. */
  restart(now: number): void {
    this.#waitingSince = now
  }

  /** Sends what was held, in order. */
  release(now: number): void {
    this.#isHeld = false
    this.restart(now)
    for (const sent of this.#sent) if (sent.sentAt < 0) this.#send(sent, now)
  }

  /**
   * Sends again what is overdue: the oldest, and what is older than something that was acknowledged, since acknowledgements are
   * sent on arrival. What is newer waits: an agent that does not acknowledge is more often busy than deaf.
   * @returns false: the oldest has waited for too long
   */
  resend(now: number): boolean {
    if (this.#isHeld || this.isEmpty) return true
    if (now - this.#waitingSince > longestUnacknowledgedMs) return false
    const overdue = now - this.roundTrip.timeoutMs
    const end = Math.min(this.#sent.length, Math.max(1, this.#acknowledged - this.#base) + this.#first)
    for (let at = this.#first, left = mostResent; at < end && left > 0; at += 1) {
      const sent = this.#sent[at]
      if (!sent?.bytes || sent.sentAt > overdue) continue
      this.#send(sent, now)
      left -= 1
    }
    return true
  }

  #send(sent: Sent, now: number): void {
    if (!sent.bytes) return
    sent.sentAt = now
    this.#transmit(sent.bytes)
  }
}
