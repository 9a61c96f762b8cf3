import { BrokerError } from '../../proxy/session.ts'
import { type Clock, mostSkewMs } from '../telemetry/clock.ts'

export interface ClockSkewDeps {
  /** The wall clock. */
  readonly clock: Clock
  /** That by which grants end here: it never goes back. */
  readonly steadyClock: Clock
  /** Milliseconds since any fixed moment, not affected by the wall clock. */
  readonly elapsedMs: () => number
}

/**
 * How far the clocks of this daemon are from that of the store, which all of its daemons have in common. Known at every moment, not
 * only when the store was asked: between two answers monotonic time goes on, by which a clock that jumps is seen at once.
 */
export class ClockSkew {
  readonly #deps: ClockSkewDeps
  /** What the clock of the store said when the own monotonic clock said so; `lateMs`: what the way took. */
  #store: { readonly at: number; readonly elapsed: number; readonly lateMs: number } | undefined

  constructor(deps: ClockSkewDeps) {
    this.#deps = deps
  }

  /** @param asked when, by monotonic time; the store answered just now */
  measure(at: number, asked: number): void {
    const answered = this.#deps.elapsedMs()
    this.#store = { at, elapsed: (asked + answered) / 2, lateMs: (answered - asked) / 2 }
  }

  /** Positive: the store is ahead. What the way took is no skew. */
  get ms(): number {
    return this.#ofOwn(this.#deps.clock)
  }

  /** Why nothing that depends on an instant may be decided here. */
  get problem(): string | undefined {
    const { clock, steadyClock } = this.#deps
    const steady = steadyClock.now() // first: it remembers a jump ahead, also one that nothing else asks the time in
    const skew = Math.abs(this.ms)
    if (skew > mostSkewMs)
      return `its clock and that of the store differ by ${seconds(skew)}: mend the one that is wrong`
    if (Math.abs(this.#ofOwn({ now: () => steady })) > mostSkewMs)
      return `its clock was set back by ${seconds(steady - clock.now())} while it ran, and grants end here by the time before: restart it`
    return undefined
  }

  /** @throws BrokerError CLOCK_WRONG */
  require(): void {
    const { problem } = this
    if (problem !== undefined) throw new BrokerError('CLOCK_WRONG', problem)
  }

  #ofOwn(clock: Clock): number {
    if (this.#store === undefined) return 0
    const { at, elapsed, lateMs } = this.#store
    const skew = at + (this.#deps.elapsedMs() - elapsed) - clock.now()
    return Math.sign(skew) * Math.max(Math.abs(skew) - lateMs, 0)
  }
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`
}
