import { BrokerError } from '../../proxy/session.ts'
import type { Clock } from '../telemetry/clock.ts'
import { digestOf, earlyRemovals } from './early.ts'
import type { Push } from './push.ts'
import type { StoredPushes } from './push-books.ts'
import type { Wants } from './reconcile-ports.ts'

export interface HeldBackDeps {
  readonly books: Pick<StoredPushes, 'open' | 'release'>
  readonly clock: Clock
  readonly wants: () => Wants
  readonly mostRemovals: () => number
}

/** Removals that wait for an admin, since they are more at once than is usual. */
export class HeldBack {
  readonly #deps: HeldBackDeps

  constructor(deps: HeldBackDeps) {
    this.#deps = deps
  }

  /** As they are now; empty where they are not too many. */
  async list(): Promise<{ readonly pushes: readonly Push[]; readonly digest: string | null; readonly most: number }> {
    const { books, clock, wants, mostRemovals } = this.#deps
    const most = mostRemovals()
    const open = await books.open()
    const early = earlyRemovals(open, wants(), clock.now())
    return early.length > most ? { pushes: early, digest: digestOf(early), most } : { pushes: [], digest: null, most }
  }

  /**
   * They end by their own time from now on, so that they are removed as those are. What is wanted again meanwhile stays all the same.
   * @param digest of the list that was looked at @returns how many go
   * @throws BrokerError STALE when it is another list by now; AUDIT_UNAVAILABLE
   */
  async release(digest: string, actor: string): Promise<number> {
    const held = await this.list()
    if (held.digest !== digest)
      throw new BrokerError('STALE', held.digest === null ? 'nothing is held back' : 'the list is another one by now', {
        hint: 'look at it again: sallyport identity-center held-back',
      })
    const now = this.#deps.clock.now()
    const released = held.pushes.map((push) => ({
      ...push,
      wantedUntil: now,
      overdueSince: push.overdueSince ?? now,
      checkAt: now,
      version: push.version + 1,
    }))
    await this.#deps.books.release(released, { digest, actor })
    return released.length
  }
}
