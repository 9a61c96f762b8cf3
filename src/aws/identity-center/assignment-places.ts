import { PushRefused } from './push-refused.ts'

/** Changes of assignments that the broker has under way at once; AWS allows 10 to all who call it (user guide, "Quotas"). */
const mostChanges = 8
/** Of those, for removals alone. */
const forRemovals = 2
/** A change that was not heard of for so long has ended, or never will. */
const forgottenMs = 600_000

export interface AssignmentPlacesOptions {
  /** Milliseconds since any fixed moment; never goes back. */
  readonly now?: () => number
  readonly most?: number
}

/** Counts the changes of assignments that are under way, so that AWS need not refuse one. */
export class AssignmentPlaces {
  readonly #now: () => number
  readonly #most: number
  /** When each was heard of last, by its request id. */
  readonly #underWay = new Map<string, number>()
  #starting = 0

  constructor({ now = () => performance.now(), most = mostChanges }: AssignmentPlacesOptions = {}) {
    this.#now = now
    this.#most = most
  }

  /** How many more changes may begin now. */
  room(to: 'create' | 'delete'): number {
    const forgotten = this.#now() - forgottenMs
    for (const [id, at] of this.#underWay) if (at <= forgotten) this.#underWay.delete(id)
    const taken = this.#underWay.size + this.#starting
    return Math.max(0, this.#most - (to === 'create' ? Math.min(forRemovals, this.#most - 1) : 0) - taken)
  }

  /** @param start @returns the request id of the change @throws PushRefused Busy; what `start` throws */
  async begin(to: 'create' | 'delete', start: () => Promise<string>): Promise<string> {
    if (this.room(to) === 0)
      throw new PushRefused('Busy', 'as many assignments are being changed as AWS allows at once')
    this.#starting += 1
    try {
      const id = await start()
      this.seen(id)
      return id
    } finally {
      this.#starting -= 1
    }
  }

  /** It is under way. */
  seen(id: string): void {
    this.#underWay.set(id, this.#now())
  }

  ended(id: string): void {
    this.#underWay.delete(id)
  }
}
