/** Wall clock in epoch milliseconds. Passed in, so that tests can move it. */
export interface Clock {
  now(): number
}

export const systemClock: Clock = { now: () => Date.now() }

/** How far the clocks of the daemons on one store may be apart: beyond it they are not ready, since grants end at instants. */
export const mostSkewMs = 2000
