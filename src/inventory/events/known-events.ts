import { createHash } from 'node:crypto'
import type { SeenEvent } from '../../aws/events/read-event.ts'

/** How many ids of events are remembered: those of some minutes, at a hundred a second. */
const mostKnown = 20_000

/** Which events were followed already: each comes at least once, and may come by several ways. */
export class KnownEvents {
  readonly #known = new Map<string, Promise<unknown>>()

  /**
   * Does the work of an event once, for all copies of it that come before it fails. What has its id and names something else is no copy:
   * a forged one must not keep the true one from being followed.
   * @returns null: it was done before
   */
  async once<T>({ id: eventId, hints }: Pick<SeenEvent, 'id' | 'hints'>, work: () => Promise<T>): Promise<T | null> {
    const id = `${eventId} ${createHash('sha256').update(JSON.stringify(hints)).digest('base64')}`
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
