import { AsyncLocalStorage } from 'node:async_hooks'

/** `decisions`: someone waits for it, or access depends on it. `books`: what only has to be written some time soon. */
export type Lane = 'decisions' | 'books'

const current = new AsyncLocalStorage<Lane>()

/** Runs work whose queries stand in this lane of the store's queue. Outside of any, they are decisions. */
export function inLane<T>(lane: Lane, work: () => T): T {
  return current.run(lane, work)
}

/** After so many decisions one of the books has its turn, however many more decisions wait. */
const mostAhead = 8

/** Who may use the connection next: decisions before books, each in the order of arrival. */
export class LaneQueue {
  readonly #waiting: Record<Lane, (() => void)[]> = { decisions: [], books: [] }
  #isTaken = false
  #ahead = 0

  /** Resolves when it is the caller's turn; {@link release} ends that. */
  acquire(): Promise<void> {
    if (!this.#isTaken) {
      this.#isTaken = true
      return Promise.resolve()
    }
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#waiting[current.getStore() ?? 'decisions'].push(resolve)
    return promise
  }

  release(): void {
    const { decisions, books } = this.#waiting
    const isBooks = books.length > 0 && (decisions.length === 0 || this.#ahead >= mostAhead)
    this.#ahead = isBooks ? 0 : this.#ahead + 1
    const next = (isBooks ? books : decisions).shift()
    if (next) next()
    else this.#isTaken = false
  }
}
