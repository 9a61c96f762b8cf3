import { AsyncLocalStorage } from 'node:async_hooks'

/** `decisions`: someone waits for it, or access depends on it. `books`: what only has to be written some time soon. */
export type Lane = 'decisions' | 'books'

const current = new AsyncLocalStorage<Lane>()

/** Runs work whose queries stand in this lane of the store's queue. Outside of any, they are decisions. */
export function inLane<T>(lane: Lane, work: () => T): T {
  return current.run(lane, work)
}

export function laneNow(): Lane {
  return current.getStore() ?? 'decisions'
}

/** After so many decisions one of the books has its turn, however many more decisions wait. */
const mostAhead = 8

/** Who may use a connection next: decisions before books, each in the order of arrival. */
export class LaneQueue {
  readonly #waiting: Record<Lane, (() => void)[]> = { decisions: [], books: [] }
  /** Of several places the books leave one free. */
  readonly #kept: number
  #free: number
  #ahead = 0

  /** @param places how many may use a connection at once */
  constructor(places = 1) {
    this.#free = places
    this.#kept = places > 1 ? 1 : 0
  }

  /** Resolves when it is the caller's turn; {@link release} ends that. */
  acquire(): Promise<void> {
    const lane = laneNow()
    if (this.#free > (lane === 'books' ? this.#kept : 0)) {
      this.#free -= 1
      return Promise.resolve()
    }
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#waiting[lane].push(resolve)
    return promise
  }

  release(): void {
    const { decisions, books } = this.#waiting
    const isTurnOfBooks = decisions.length === 0 ? this.#free >= this.#kept : this.#ahead >= mostAhead
    const isBooks = books.length > 0 && isTurnOfBooks
    const next = (isBooks ? books : decisions).shift()
    this.#ahead = isBooks ? 0 : this.#ahead + 1
    if (next) next()
    else this.#free += 1
  }
}
