import type { Clock } from '../telemetry/clock.ts'

const dayMs = 86_400_000

/**
 * Answers of AWS that are asked for once a day, each at its own time: a reading that asks for all of them at first asks for few in every
 * reading after that. In memory alone.
 */
export class DailyAnswers<T> {
  readonly #clock: Pick<Clock, 'now'>
  readonly #random: () => number
  readonly #answers = new Map<string, { readonly answer: T; readonly staleAt: number }>()

  /** @param random 0 to 1 */
  constructor(clock: Pick<Clock, 'now'>, random: () => number = Math.random) {
    this.#clock = clock
    this.#random = random
  }

  /** @returns undefined: it is not known, or to be asked for again */
  get(id: string): T | undefined {
    const known = this.#answers.get(id)
    const isNew = known !== undefined && known.staleAt > this.#clock.now() && known.staleAt <= this.#clock.now() + dayMs
    return isNew ? known.answer : undefined
  }

  /** What is asked for again in any case: something has changed it. */
  forget(id: string): void {
    this.#answers.delete(id)
  }

  /** Takes all that a whole reading has seen, and forgets the rest. What {@link get} gave to the reading keeps its time. */
  keep(seen: Iterable<readonly [id: string, answer: T]>): void {
    const before = new Map(this.#answers)
    this.#answers.clear()
    for (const [id, answer] of seen) {
      const known = before.get(id)
      const isSame = known !== undefined && known.answer === answer
      this.#answers.set(
        id,
        isSame ? known : { answer, staleAt: this.#clock.now() + dayMs * (0.5 + this.#random() / 2) },
      )
    }
  }
}
