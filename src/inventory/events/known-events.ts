/** How many ids of events are remembered: those of some minutes, at a hundred a second. */
const mostKnown = 20_000

/** Which events were followed already: each comes at least once, and may come by several ways. */
export class KnownEvents {
  readonly #known = new Map<string, Promise<unknown>>()

  /**
   * Does the work of an event once, for all copies of it that come before it fails.
   * @returns null: it was done before
   */
  async once<T>(id: string, work: () => Promise<T>): Promise<T | null> {
    const before = this.#known.get(id)
    if (before !== undefined) {
      await before
      return null
    }
    const working = work()
    this.#known.set(id, working)
    const oldest = this.#known.keys().next().value
    if (this.#known.size > mostKnown && oldest !== undefined) this.#known.delete(oldest)
    try {
      return await working
    } catch (error) {
      this.#known.delete(id)
      throw error
    }
  }
}
