import { setTimeout as wait } from 'node:timers/promises'
import { BrokerError } from '../session.ts'

/** So many at once, when there were none for a while. */
const burst = 10

export interface PaceOf {
  readonly resourceId: string
  /** At most so many new connections. */
  readonly perSecond: number
  /** Who would have to wait longer is refused at once. */
  readonly mostMs: number
  /** Aborts the wait; a turn that is not taken is lost. */
  readonly signal: AbortSignal
}

/** Turns for signing in to targets, which bear only so many new connections a second. Those who wait are served in their order. */
export class SignInPace {
  /** When the next turn would be without a burst, by resource; on the clock of {@link now}. */
  readonly #nextAt = new Map<string, number>()
  readonly #now: () => number

  /** @param now milliseconds that only go forward */
  constructor(now: () => number) {
    this.#now = now
  }

  /** Resolves when it is this one's turn. @throws BrokerError TOO_MANY_SESSIONS; AbortError */
  async turn({ resourceId, perSecond, mostMs, signal }: PaceOf): Promise<void> {
    const now = this.#now()
    const everyMs = 1000 / perSecond
    const nextAt = Math.max(this.#nextAt.get(resourceId) ?? 0, now)
    const waitMs = nextAt - now - (burst - 1) * everyMs
    if (waitMs > mostMs) {
      const waiting = Math.round(waitMs / everyMs)
      throw new BrokerError(
        'TOO_MANY_SESSIONS',
        `${waiting === 1 ? '1 connection waits' : `${waiting} connections wait`} to sign in to ${resourceId}`,
        {
          hint: `It gets at most ${perSecond} new ones a second. Keep connections in a pool, and connect again in a few seconds.`,
        },
      )
    }
    this.#nextAt.set(resourceId, nextAt + everyMs)
    if (waitMs > 0) await wait(waitMs, undefined, { signal })
  }
}
