import type { Membership } from './membership.ts'
import type { Push, Want } from './push.ts'
import type { Pusher } from './pusher.ts'

export type PushEventType = 'begun' | 'granted' | 'failed' | 'removed' | 'outside'

/** What the log has to tell of a write. */
export interface PushTold {
  readonly type: PushEventType
  /** Of what is begun or failed. */
  readonly to?: 'present' | 'absent'
  /** Ids of the grants that want it. */
  readonly grants?: readonly string[]
}

/** What is known of pushes: rows that the broker wrote, in the state that the log has. */
export interface PushBooks {
  /** Those that are not gone. */
  open(): Promise<readonly Push[]>
  /** Also one that is gone. */
  find(key: string): Promise<Push | undefined>
  /**
   * Writes the next version of a push, and its event, in one. @param told left out: nothing that the log has to tell
   * @throws BrokerError STALE another daemon came first; NOT_LEADER; AUDIT_UNAVAILABLE, STORE_UNAVAILABLE
   */
  write(next: Push, told?: PushTold): Promise<void>
}

export interface ReconcilerDeps {
  readonly books: PushBooks
  /** What live grants want now. */
  wants(): Promise<Wants>
  /** Whether one of these grants is to have its membership now: read again, right before AWS is asked for it. */
  isAllowed(want: Want): Promise<boolean>
  /** Whether a live grant wants it after all, or may: asked right before AWS is asked to remove it. */
  isWanted(membership: Membership): Promise<boolean>
  /** @throws BrokerError when the kind cannot write to AWS */
  pusherOf(kind: string): Pick<Pusher, 'observe' | 'begin' | 'poll' | 'firstPollMs'>
  /** Whether someone else is known to have asked AWS for the membership since then. */
  isForeign(membership: Membership, since: number): Promise<boolean>
  /** Right before each call that changes something. @throws BrokerError NOT_LEADER */
  checkLeader(): void
  now(): number
  /** How many memberships that should still stand by their time may be removed at once. */
  mostRemovals(): number
  /** How many changes AWS may be working at. */
  readonly mostUnderway?: number
}

export interface Wants {
  readonly byKey: ReadonlyMap<string, Want>
  /** Users with a grant of which it is not known at the moment what it wants: nothing of theirs is removed. */
  readonly unclear: ReadonlySet<string>
}

export interface Pass {
  /** How many removals the pass would have begun, were they not too many; 0: it held back none. */
  readonly heldBack: number
  /** When the next look at something is due; null: when a grant begins or ends. */
  readonly nextAt: number | null
  /** Those that are not gone, as they are then. */
  readonly open: readonly Push[]
  /** Of what failed without an answer that a push could show. */
  readonly errors: readonly unknown[]
}
