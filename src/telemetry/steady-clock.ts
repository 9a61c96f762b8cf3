import type { Clock } from './clock.ts'

/**
 * The wall clock, except that it never goes back while the daemon runs: setting the clock back lengthens no grant.
 * @param elapsedMs milliseconds since any fixed moment, not affected by the wall clock
 */
export function steadyClock(clock: Clock, elapsedMs: () => number): Clock {
  let wall = clock.now()
  let mark = elapsedMs()
  return {
    now: () => {
      const elapsed = elapsedMs()
      const expected = Math.floor(wall + (elapsed - mark))
      const now = clock.now()
      if (now < expected) return expected
      wall = now
      mark = elapsed
      return now
    },
  }
}
