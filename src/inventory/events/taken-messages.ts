import { type EventQueue, hiddenSeconds } from '../../aws/events/event-queue.ts'
import type { Clock } from '../../telemetry/clock.ts'

/** Messages are hidden from other readers for at most so long; then they come again. */
const longestMs = 600_000
/** Of SQS. */
const mostInBatch = 10

interface Taken {
  readonly takenAt: number
  hiddenAt: number
}

/** Messages that were received and are not removed yet, which the queue hides from others meanwhile. */
export class TakenMessages {
  readonly #queue: Pick<EventQueue, 'remove' | 'hide'>
  readonly #clock: Clock
  readonly #taken = new Map<string, Taken>()
  #removing: string[] = []
  #removed: Promise<void> | null = null

  constructor(queue: Pick<EventQueue, 'remove' | 'hide'>, clock: Clock) {
    this.#queue = queue
    this.#clock = clock
  }

  get count(): number {
    return this.#taken.size
  }

  take(handle: string): void {
    const now = this.#clock.now()
    this.#taken.set(handle, { takenAt: now, hiddenAt: now })
  }

  /** It is left to come again. */
  leave(handle: string): void {
    this.#taken.delete(handle)
  }

  /** Removes it, together with others that are ready. What is not removed comes again. @throws as the queue does */
  async remove(handle: string, signal: AbortSignal): Promise<void> {
    this.#taken.delete(handle)
    this.#removing.push(handle)
    this.#removed ??= this.#removeAll(signal).finally(() => {
      this.#removed = null
    })
    await this.#removed
  }

  async #removeAll(signal: AbortSignal): Promise<void> {
    await Promise.resolve() // those of this turn join
    while (this.#removing.length > 0) await this.#queue.remove(this.#removing.splice(0, mostInBatch), signal)
  }

  /** Hides for longer what is still worked on. */
  async hideOn(signal: AbortSignal): Promise<void> {
    const now = this.#clock.now()
    const due = [...this.#taken].filter(
      ([, { takenAt, hiddenAt }]) => now - hiddenAt >= (hiddenSeconds * 1000) / 3 && now - takenAt < longestMs,
    )
    await this.#hide(due, hiddenSeconds, signal)
    for (const [, taken] of due) taken.hiddenAt = now
  }

  /** All that is taken comes again at once, at whichever daemon reads next. */
  async giveBack(signal: AbortSignal): Promise<void> {
    const all = [...this.#taken]
    this.#taken.clear()
    await this.#hide(all, 0, signal)
  }

  async #hide(all: readonly (readonly [string, Taken])[], seconds: number, signal: AbortSignal): Promise<void> {
    for (let from = 0; from < all.length; from += mostInBatch) {
      const handles = all.slice(from, from + mostInBatch).map(([handle]) => handle)
      await this.#queue.hide(handles, seconds, signal)
    }
  }
}
