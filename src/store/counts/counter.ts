import type { Clock } from '../../telemetry/clock.ts'

export interface Count {
  /** In this window, at all daemons. */
  readonly current: number
  /** Milliseconds until it ends. */
  readonly ttl: number
}

export interface Window {
  readonly since: number
  readonly until: number
  /** What was counted here. */
  amount: number
  /** How much of it other daemons were told. */
  told: number
}

export interface CounterOptions {
  readonly clock: Clock
  /** More keys than this are not kept: the one that was counted longest ago is forgotten. */
  readonly mostKeys: number
  /** Others are told when an amount has grown by so much. */
  readonly step?: number
  /** What other daemons have counted. */
  readonly elsewhere?: (key: string) => Pick<Window, 'amount' | 'until'> | undefined
  readonly onGrown?: (key: string, window: Window) => void
}

/** Amounts by key, each until the end of its window, with what is known of other daemons. */
export class Counter {
  readonly #options: CounterOptions
  readonly #windows = new Map<string, Window>()

  constructor(options: CounterOptions) {
    this.#options = options
  }

  /** @param until end of the window that begins with this, if none is under way: epoch milliseconds */
  add(key: string, amount: number, until: number): Count {
    const { clock, mostKeys, onGrown, step = 1 } = this.#options
    const window = this.#find(key) ?? { since: clock.now(), until, amount: 0, told: 0 }
    window.amount += amount
    this.#windows.delete(key)
    for (const oldest of this.#windows.keys()) {
      if (this.#windows.size < mostKeys) break
      this.#windows.delete(oldest)
    }
    this.#windows.set(key, window)
    if (window.amount - window.told >= step) onGrown?.(key, window)
    return this.read(key)
  }

  read(key: string): Count {
    const now = this.#options.clock.now()
    const here = this.#find(key)
    const elsewhere = this.#options.elsewhere?.(key)
    const until = Math.max(here?.until ?? now, elsewhere?.until ?? now)
    return { current: (here?.amount ?? 0) + (elsewhere?.amount ?? 0), ttl: until - now }
  }

  clear(): void {
    this.#windows.clear()
  }

  /** A clock that was set back ends a window too. */
  #find(key: string): Window | undefined {
    const now = this.#options.clock.now()
    const window = this.#windows.get(key)
    return window && now >= window.since && now < window.until ? window : undefined
  }
}

/** Counters by the name of what they count. */
export interface Counts {
  /** By which the windows end. */
  readonly clock: Clock
  /** @param max the limit that these amounts are held against */
  counter(name: string, max: number, mostKeys?: number): Counter
}

/** Addresses and people whose requests are counted at once. */
export const mostCounted = 5000

/** Of a daemon that has its store for itself. */
export function countsHere(clock: Clock): Counts {
  return { clock, counter: (_, __, mostKeys = mostCounted) => new Counter({ clock, mostKeys }) }
}
