/** What people are told before their access ends, and when. */

const minuteMs = 60_000
/** How long before the end, the last one last. */
const noticesMs = [5 * minuteMs, minuteMs] as const

/** Access that is about to end. */
export interface Ending {
  /** Epoch milliseconds. */
  readonly endsAt: number
  readonly leftMs: number
  /** Null: it is one session that ends, by the time that its level allows. */
  readonly grantId: string | null
}

/** When to tell of one end that may move. Times are epoch milliseconds. */
export class EndSchedule {
  #endsAt: number
  /** Of the notice that is next; undefined: none is left. */
  #dueAt: number | undefined

  constructor(endsAt: number, now: number) {
    this.#endsAt = endsAt
    this.#dueAt = this.#after(now)
  }

  get endsAt(): number {
    return this.#endsAt
  }

  get dueAt(): number | undefined {
    return this.#dueAt
  }

  /** An earlier end that is near is told of at once: nobody could know of it. */
  moveTo(endsAt: number, now: number): void {
    const isEarlier = endsAt < this.#endsAt
    if (endsAt === this.#endsAt) return
    this.#endsAt = endsAt
    this.#dueAt = isEarlier && endsAt - now <= noticesMs[0] ? now : this.#after(now)
  }

  /** @returns how much is left, when it is time to say so; once for each notice */
  take(now: number): number | undefined {
    if (this.#dueAt === undefined || now < this.#dueAt) return undefined
    this.#dueAt = this.#after(now)
    const leftMs = this.#endsAt - now
    return leftMs > 0 ? leftMs : undefined
  }

  #after(now: number): number | undefined {
    return noticesMs.map((ms) => this.#endsAt - ms).find((at) => at > now)
  }
}

/** @param what that ends, e.g. `access to orders` */
export function endingText(what: string, { endsAt, leftMs }: Pick<Ending, 'endsAt' | 'leftMs'>): string {
  const minutes = Math.round(leftMs / minuteMs)
  const left = minutes < 1 ? 'less than a minute' : minutes === 1 ? '1 minute' : `${minutes} minutes`
  return `${what} ends in ${left}, at ${new Date(endsAt).toISOString().slice(11, 16)} UTC`
}

/** What to do about it. */
export function stayHint({ grantId }: Pick<Ending, 'grantId'>): string {
  if (grantId === null) return 'its access level allows no more time to one session; to go on, connect again'
  return `to stay connected, run: sallyport extend ${grantId} --for 1h`
}
