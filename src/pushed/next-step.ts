import type { Ownership, Push, Want } from './push.ts'
import type { Seen } from './pusher.ts'

/** How long AWS may take to show what it has done. */
export const settleMs = 60_000
/** How long a request whose answer we never had may still come true: AWS ends its own work sooner. */
export const lostMs = 900_000

/** What AWS shows, and what is known besides. */
export interface Observed extends Seen {
  /** Someone else is known to have asked for the membership since we did. */
  readonly isForeign: boolean
}

export type Step =
  | { readonly do: 'nothing' }
  /** Neither its absence nor its presence is believed yet. */
  | { readonly do: 'wait'; readonly until: number }
  | { readonly do: 'create' }
  | { readonly do: 'remove'; readonly ownership: Ownership }
  | { readonly do: 'granted'; readonly ownership: Ownership }
  | { readonly do: 'gone' }
  | { readonly do: 'outside'; readonly ownership: Ownership }

/**
 * What to do about a membership of which nothing is underway: it goes by what AWS shows now, what live grants want now, and what we
 * did before.
 * @param want undefined: no grant wants it
 */
export function nextStep(push: Push, want: Want | undefined, seen: Observed, now: number): Step {
  if (want) return seen.isThere ? keep(push, seen) : { do: 'create' }
  return seen.isThere ? takeBack(push, seen) : leaveAbsent(push, now)
}

function keep(push: Push, seen: Observed): Step {
  const ownership = ownershipOf(push, seen)
  const isKnown = push.state === 'granted' && push.ownership === ownership && isSame(push, seen)
  return isKnown ? { do: 'nothing' } : { do: 'granted', ownership }
}

function takeBack(push: Push, seen: Observed): Step {
  const ownership = ownershipOf(push, seen)
  if (ownership === 'created' || ownership === 'adopted') return { do: 'remove', ownership }
  return push.state === 'outside' && push.ownership === ownership ? { do: 'nothing' } : { do: 'outside', ownership }
}

function leaveAbsent(push: Push, now: number): Step {
  if (push.state === 'gone') return { do: 'nothing' }
  const until = believedFrom(push)
  return until > now ? { do: 'wait', until } : { do: 'gone' }
}

/** From when on its absence says that it is not there, and not that AWS does not show it yet. */
function believedFrom({ state, begunAt }: Push): number {
  if (begunAt === null || state === 'removing' || state === 'outside') return 0
  return begunAt + (state === 'granting' ? lostMs : settleMs)
}

/** Whose it is, now that it is there. */
function ownershipOf(push: Push, seen: Observed): Ownership {
  const { ownership, begunAt } = push
  if (ownership === 'adopted') return isSame(push, seen) ? 'adopted' : 'pre-existing'
  if (ownership === 'created' || (ownership === null && begunAt !== null)) {
    if (!isSame(push, seen)) return 'pre-existing' // made anew by someone else
    return seen.isForeign ? 'uncertain' : 'created'
  }
  return ownership ?? 'pre-existing'
}

function isSame({ externalId }: Push, seen: Seen): boolean {
  return externalId === null || seen.externalId === undefined || externalId === seen.externalId
}
