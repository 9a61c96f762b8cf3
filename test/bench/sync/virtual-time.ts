import type { PaceTime } from '../../../src/aws/paced.ts'

/** Time that passes only when nothing is left to do in it: hours take seconds, and every run is the same. */
export class VirtualTime {
  #now = 1_764_000_000_000
  /** Sorted by their instant, those of one instant in their order. */
  readonly #waiting = new Map<number, (() => void)[]>()
  #instants: number[] = []

  now(): number {
    return this.#now
  }

  after(ms: number): Promise<void> {
    const at = Math.ceil(this.#now + Math.max(0, ms))
    return new Promise((resolve) => {
      const among = this.#waiting.get(at)
      if (among) among.push(resolve)
      else {
        this.#waiting.set(at, [resolve])
        insert(this.#instants, at)
      }
    })
  }

  /** As the paces of calls see it. */
  get pace(): PaceTime {
    return { now: () => this.#now, wait: async (ms) => await this.after(ms) }
  }

  /** Lets time pass until `work` is over. */
  async until<T>(work: Promise<T>): Promise<T> {
    let isOver = false
    const done = work.finally(() => {
      isOver = true
    })
    done.catch(() => undefined) // thrown below
    for (;;) {
      await settled()
      if (isOver) return await done
      const at = this.#instants.pop()
      if (at === undefined) throw new Error('nothing is waited for, and it is not over')
      this.#now = at
      const among = this.#waiting.get(at) ?? []
      this.#waiting.delete(at)
      for (const wake of among) wake()
    }
  }

  /** Without anything to do. */
  pass(ms: number): void {
    if (this.#instants.length > 0) throw new Error('something is waited for')
    this.#now += ms
  }
}

/** Greatest first, so that the next one is the last. */
function insert(instants: number[], at: number): void {
  let [low, high] = [0, instants.length]
  while (low < high) {
    const middle = (low + high) >>> 1
    if ((instants[middle] ?? 0) > at) low = middle + 1
    else high = middle
  }
  instants.splice(low, 0, at)
}

/** Everything that waits for nothing but its turn has had it. */
async function settled(): Promise<void> {
  await new Promise<void>((resolve) => void setImmediate(resolve))
}
