import { type Ending, EndSchedule } from '../ending.ts'
import type { SessionPermit } from '../session.ts'

/** A timer beyond 2³¹−1 ms would fire at once. */
const longestMs = 3_600_000

export interface EndNoticesParts {
  readonly permit: Pick<SessionPermit, 'grantId' | 'engine'>
  /** Epoch milliseconds. */
  now(): number
  /** Follows the end of the session. @returns it as it is now, epoch milliseconds */
  watchEnd(onMoved: (endsAt: number) => void): number
  /** A notice is due; {@link EndNotices.take} has it. */
  onDue(): void
}

/**
 * Notices that a session is about to end, by its grant or by the time that its level allows: from when one is due until the client can
 * be told. An end that moves moves them.
 */
export class EndNotices {
  readonly #parts: EndNoticesParts
  #schedule: EndSchedule | undefined
  #timer: NodeJS.Timeout | undefined
  /** By the level; epoch milliseconds. */
  #mostAt = Number.POSITIVE_INFINITY
  isDue = false

  constructor(parts: EndNoticesParts) {
    this.#parts = parts
  }

  start(): void {
    const { permit, now, watchEnd } = this.#parts
    const mostMs = permit.engine?.budget?.ms ?? 0
    if (mostMs > 0) this.#mostAt = now() + mostMs
    const endsAt = watchEnd((moved) => this.#moveTo(Math.min(moved, this.#mostAt)))
    this.#schedule = new EndSchedule(Math.min(endsAt, this.#mostAt), now())
    this.#arm()
  }

  stop(): void {
    this.#schedule = undefined
    clearTimeout(this.#timer)
  }

  /** What to tell the client, as of now. */
  take(): Ending | undefined {
    if (!this.isDue || !this.#schedule) return undefined
    this.isDue = false
    const { permit, now } = this.#parts
    const { endsAt } = this.#schedule
    const leftMs = endsAt - now()
    const grantId = endsAt === this.#mostAt ? null : permit.grantId
    return leftMs > 0 ? { endsAt, leftMs, grantId } : undefined
  }

  #moveTo(endsAt: number): void {
    if (endsAt === this.#schedule?.endsAt) return
    this.isDue = false // it told of another end
    this.#schedule?.moveTo(endsAt, this.#parts.now())
    this.#arm()
  }

  #arm(): void {
    clearTimeout(this.#timer)
    const { now, onDue } = this.#parts
    if (this.#schedule?.take(now()) !== undefined) {
      this.isDue = true
      onDue()
    }
    const dueAt = this.#schedule?.dueAt
    if (dueAt === undefined) return
    this.#timer = setTimeout(() => this.#arm(), Math.min(Math.max(dueAt - now(), 1), longestMs))
  }
}
