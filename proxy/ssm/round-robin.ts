import { performance } from 'node:perf_hooks'

/** What messages may take of one turn of the event loop before all else has its own. */
const turnMs = 1
/** Connections in one turn, and messages of each. */
const mostTakers = 8
const mostAtOnce = 16
/** A connection that has had no more than {@link fewBytes} for so long need not wait: those are keys, and what echoes them. */
const recentMs = 20
const fewBytes = 1024

/** A connection whose messages take turns with those of the others. */
export interface Taker {
  /** May handle so many messages: those that wait, and those that are read next. */
  take(most: number): void
}

/** What one connection has had of late. */
export class Share {
  #since = Number.NEGATIVE_INFINITY
  #bytes = 0

  /** A message more. @returns whether that is still little */
  add(bytes: number, now: number): boolean {
    if (now - this.#since > recentMs) {
      this.#since = now
      this.#bytes = 0
    }
    this.#bytes += bytes
    return this.#bytes <= fewBytes
  }
}

/**
 * Shares the event loop among the connections of this process and all else. While there is time, messages are handled as they come. Once the
 * turn's time is used, a connection that has had many waits, unread, and has some at once later, in the order of waiting; between two
 * turns everything else that has arrived is read. So what others are shown delays a key by a turn or two, however much it is.
 */
export class RoundRobin {
  readonly #now: () => number
  readonly #waiting = new Set<Taker>()
  #since = 0
  #taken = 0
  #isAsked = false

  constructor(now: () => number = () => performance.now()) {
    this.#now = now
  }

  /** For a message that has come. @returns whether it has to wait */
  mustWait(share: Share, bytes: number): boolean {
    const now = this.#now()
    if (!this.#isAsked) {
      this.#since = now
      this.#ask()
    }
    return !share.add(bytes, now) && now - this.#since >= turnMs
  }

  wait(taker: Taker): void {
    this.#waiting.add(taker)
    this.#ask()
  }

  leave(taker: Taker): void {
    this.#waiting.delete(taker)
  }

  #ask(): void {
    if (this.#isAsked) return
    this.#isAsked = true
    setImmediate(this.#begin)
  }

  readonly #begin = (): void => {
    this.#isAsked = false
    this.#since = this.#now()
    this.#taken = 0
    this.#next()
  }

  /** One of those that wait. What it sets off is done before the next one. */
  readonly #next = (): void => {
    const [taker] = this.#waiting
    if (!taker) return
    this.#waiting.delete(taker)
    this.#taken += 1
    taker.take(mostAtOnce)
    if (this.#waiting.size === 0) return
    if (this.#taken < mostTakers && this.#now() - this.#since < turnMs) process.nextTick(this.#next)
    else this.#ask() // what comes until then waits, too
  }
}

/** Of this process. */
export const roundRobin = new RoundRobin()
