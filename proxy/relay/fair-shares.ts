import { performance } from 'node:perf_hooks'

/** How long sessions may keep the event loop before everything else in the process has its turn, milliseconds. */
const sliceMs = 8
const leastAtOnce = 4

/**
 * Shares the event loop between sessions and all else: sign-ins, decisions, the store's answers. Within a slice sessions are read as
 * their bytes come. Once it is used up, each that has been read waits until the others had their turn, first come, first served, and
 * no more are let go on at once than fit a slice. Costs nothing while the loop has time.
 */
export class FairShares {
  readonly #now: () => number
  /** When sessions were first read in this turn of the event loop. */
  #since: number | undefined
  #read = 0
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
    if (this.#since === undefined) {
      this.#since = this.#now()
      setImmediate(this.#onTurn)
      return false // none waits then
    }
    if (this.#waiting.length === 0 && this.#now() - this.#since < sliceMs) return false
    this.#waiting.push(goOn)
    return true
  }

  /** After the sockets of this turn; what has come meanwhile for others is read in the next one. */
  readonly #onTurn = (): void => {
    if (this.#waiting.length === 0) {
      this.#since = undefined
      this.#read = 0
      return
    }
    const spent = this.#now() - (this.#since ?? this.#now())
    const fitting = spent < sliceMs ? Number.POSITIVE_INFINITY : Math.floor((this.#read * sliceMs) / spent)
    this.#since = undefined
    this.#read = 0
    const next = this.#waiting.splice(0, Math.max(leastAtOnce, Math.min(fitting, this.#waiting.length)))
    if (this.#waiting.length > 0) {
      this.#since = this.#now()
      setImmediate(this.#onTurn)
    }
    for (const goOn of next) goOn()
  }
}

/** Of this process. */
export const fairShares = new FairShares()
