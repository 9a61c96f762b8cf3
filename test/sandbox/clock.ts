/** Wall clock of the doubles in epoch milliseconds; a test can move it without moving anybody else's. */
export interface SandboxClock {
  now(): number
  /** Moves the doubles' time against the machine's; negative moves it back. */
  advance(ms: number): void
}

export function createClock(): SandboxClock {
  let aheadMs = 0
  return {
    now: () => Date.now() + aheadMs,
    advance: (ms) => {
      aheadMs += ms
    },
  }
}
