import { setTimeout } from 'node:timers/promises'

/** How often one service may be asked. */
export interface Pace {
  /** Calls a second in the long run. */
  readonly perSecond: number
  /** Calls that may come at once after a rest. */
  readonly burst: number
  /** Calls under way at the same time. */
  readonly atOnce: number
}

/**
 * The SDK's retries of a paced call, which wait longer each time. Its adaptive mode keeps a pace of its own, which one throttle lowers to a
 * call in two seconds.
 */
export const retries = { retryMode: 'standard', maxAttempts: 8 } as const

/** Time as the pace sees it. */
export interface PaceTime {
  /** Milliseconds since any fixed moment; never goes back. */
  now(): number
  /** @throws the signal's reason once it is aborted */
  wait(ms: number, signal: AbortSignal): Promise<void>
}

/** As it passes. */
export const realTime: PaceTime = {
  now: () => performance.now(),
  wait: async (ms, signal) => {
    await setTimeout(ms, undefined, { signal }).catch(() => signal.throwIfAborted())
  },
}

/** Those of a higher number are served before those that wait with a lower one. */
export type Urgency = 0 | 1 | 2

interface Waiting {
  readonly urgency: Urgency
  readonly start: () => void
}

/**
 * A token bucket and a bound on calls under way, shared by all who ask one service in one account. Callers of one urgency are served in
 * their order. Retries within a call are the SDK's own and are not counted here.
 */
export class Paced {
  readonly #pace: Pace
  readonly #time: PaceTime
  readonly #waiting: Waiting[] = []
  #running = 0
  /** When the bucket has a token again, were it empty now. */
  #nextAt = Number.NEGATIVE_INFINITY

  constructor(pace: Pace, time: PaceTime = realTime) {
    this.#pace = pace
    this.#time = time
  }

  /** @throws what `call` throws; the signal's reason where it is aborted before the call began */
  async run<T>(signal: AbortSignal, call: () => Promise<T>, urgency: Urgency = 0): Promise<T> {
    if (this.#running < this.#pace.atOnce) this.#running += 1
    else await new Promise<void>((start) => this.#waiting.push({ urgency, start })) // the place is handed over
    try {
      signal.throwIfAborted()
      await this.#takeToken(signal)
      return await call()
    } finally {
      const next = this.#takeNext()
      if (next) next.start()
      else this.#running -= 1
    }
  }

  #takeNext(): Waiting | undefined {
    for (const urgency of [2, 1] as const) {
      const at = this.#waiting.findIndex((one) => one.urgency === urgency)
      if (at >= 0) return this.#waiting.splice(at, 1)[0]
    }
    return this.#waiting.shift()
  }

  async #takeToken(signal: AbortSignal): Promise<void> {
    const everyMs = 1000 / this.#pace.perSecond
    const now = this.#time.now()
    const at = Math.max(this.#nextAt, now - (this.#pace.burst - 1) * everyMs)
    this.#nextAt = at + everyMs
    if (at > now) await this.#time.wait(at - now, signal)
  }
}
