import type { Membership } from './membership.ts'
import type { PushTicket } from './pusher.ts'

/**
 * Whose a membership is. `created`: it was absent just before we asked for it, and nobody else is known to have asked since.
 * `pre-existing`: it was there. `uncertain`: someone else asked for it as well, so an admin decides. `adopted`: an admin told us to
 * take it over. Only what is created or adopted is ever removed.
 */
export type Ownership = 'created' | 'pre-existing' | 'uncertain' | 'adopted'

/** `outside`: it is there, no grant wants it, and it is not ours. `gone`: there is nothing of ours. */
export const pushStates = ['granting', 'granted', 'failed', 'removing', 'outside', 'gone'] as const
export type PushPhase = (typeof pushStates)[number]

export interface Underway {
  readonly to: 'present' | 'absent'
  readonly ticket: PushTicket
  /** Epoch milliseconds. */
  readonly since: number
}

/** What we have done about one membership, and what is left to do. Instants are epoch milliseconds. */
export interface Push {
  readonly membership: Membership
  readonly state: PushPhase
  /** Null: it was not seen there yet, or is there no more. */
  readonly ownership: Ownership | null
  readonly externalId: string | null
  /**
   * When it was seen to be absent, right before we asked AWS for it; null: no request of ours can have made it. From here on it may be
   * there, also if we were never told so.
   */
  readonly begunAt: number | null
  readonly underway: Underway | null
  /** Why it is not as it should be, in AWS's words. */
  readonly reason: string | null
  readonly isLasting: boolean
  /** When the last grant that wanted it ends, or ended. */
  readonly wantedUntil: number
  /** Since when it should be gone; null while a grant wants it. */
  readonly overdueSince: number | null
  /** When to look again. */
  readonly checkAt: number
  /** Failures in a row. */
  readonly failures: number
  /** 1, 2 … with every write. */
  readonly version: number
}

/** What live grants want of one membership. */
export interface Want {
  readonly membership: Membership
  /** When the last of them ends. */
  readonly until: number
  /** Ids of the grants. */
  readonly grants: readonly string[]
}

export function newPush(membership: Membership, until: number): Push {
  return {
    membership,
    state: 'gone',
    ownership: null,
    externalId: null,
    begunAt: null,
    underway: null,
    reason: null,
    isLasting: false,
    wantedUntil: until,
    overdueSince: null,
    checkAt: 0,
    failures: 0,
    version: 0,
  }
}

/** Whether there is, or may be, something in AWS that we would take back. */
export function isOurs({ state, ownership, begunAt }: Push): boolean {
  if (state === 'gone' || state === 'outside') return false
  return ownership === 'created' || ownership === 'adopted' || (ownership === null && begunAt !== null)
}
