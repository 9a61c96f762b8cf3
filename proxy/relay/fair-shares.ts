import { performance } from 'node:perf_hooks'

/** How long sessions may keep the event loop before everything else in the process has its turn, milliseconds. */
const sliceMs = 8
const leastAtOnce = 4

/**
 * Shares the event loop between sessions and all else: sign-ins, decisions, the store's answers. Sessions are read as their bytes come.
 * Whenever half a slice has passed, a turn of the loop is asked for; while one does not come for as long again, each session that has
 * been read waits for it, first come, first served, and no more are let go on at once than fit a slice. Costs nothing while the loop
 * has time: a look at the clock for each reading, and one turn in many.
 */
export class FairShares {
  readonly #now: () => number
  /** When the half began of which the readings are counted. */
  #since = Number.NEGATIVE_INFINITY
  #read = 0
  #isTurnAsked = false
  #waiting: (() => void)[] = []

  constructor(now: () => number = () => performance.now()) {
    this.#now = now
  }

  /**
   * To be called when bytes of a session have been handled.
   * @returns whether the session must stop reading until `goOn` is called
   */
  take(goOn: () => void): boolean {
    this.#read += 1
    if (this.#waiting.length === 0 && this.#now() - this.#since < sliceMs / 2) return false
    if (!this.#isTurnAsked) {
      this.#askForTurn()
      return false
    }
    this.#waiting.push(goOn)
    return true
  }

  #askForTurn(): void {
    this.#isTurnAsked = true
    this.#since = this.#now()
    this.#read = 0
    setImmediate(this.#onTurn)
  }

  /** After the sockets of this turn; what has come meanwhile for others is read in the next one. */
  readonly #onTurn = (): void => {
    this.#isTurnAsked = false
    const now = this.#now()
    if (this.#waiting.length > 0) {
      const spent = now - this.#since
      const fitting = spent < sliceMs ? Number.POSITIVE_INFINITY : Math.floor((this.#read * sliceMs) / spent)
      const next = this.#waiting.splice(0, Math.max(leastAtOnce, Math.min(fitting, this.#waiting.length)))
      if (this.#waiting.length > 0) this.#askForTurn()
      for (const goOn of next) goOn()
    }
    if (!this.#isTurnAsked) {
      this.#since = now
      this.#read = 0
    }
  }
}

/** Of this process. */
export const fairShares = new FairShares()
