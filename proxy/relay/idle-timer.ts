import { performance } from 'node:perf_hooks'

export interface IdleWatch {
  /** When something was done last, by `performance.now()`. */
  activeAt(): number
  /** @param text for the client */
  onIdle(text: string): void
}

/** Longest wait; a timer beyond 2³¹−1 ms would fire at once. */
const longestMs = 3_600_000

/** One timer that checks periodically, so that activity costs nothing. */
export class IdleTimer {
  readonly #limitMs: number
  readonly #watch: IdleWatch
  #timer: NodeJS.Timeout | undefined

  /** @param limitMs 0: never */
  constructor(limitMs: number, watch: IdleWatch) {
    this.#limitMs = limitMs
    this.#watch = watch
  }

  start(): void {
    if (this.#limitMs === 0) return
    const leftMs = this.#limitMs - (performance.now() - this.#watch.activeAt())
    if (leftMs > 0) this.#timer = setTimeout(() => this.start(), Math.min(Math.ceil(leftMs), longestMs))
    else this.#watch.onIdle(`the session was idle for ${spoken(this.#limitMs)}`)
  }

  stop(): void {
    clearTimeout(this.#timer)
  }
}

/** Of two limits; 0: none. */
export function shorterLimit(a: number, b: number): number {
  return a === 0 || b === 0 ? a + b : Math.min(a, b)
}

function spoken(ms: number): string {
  return ms < 120_000 ? `${Math.round(ms / 1000)} seconds` : `${Math.round(ms / 60_000)} minutes`
}
