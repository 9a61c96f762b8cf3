import { placeOf } from '../../../src/pushed/membership.ts'
import type { Claim } from './claims.ts'

export interface Played {
  /** Of each grant that was given: how long it waited, in milliseconds. */
  readonly waits: readonly number[]
  /** Of each that was removed: how long after its end. */
  readonly late: readonly number[]
}

interface Limits {
  readonly perSecond: number
  readonly atOnce: number
  workMs(index: number): number
}

/** Calls that a change takes at least: a look before and one after a removal, the change itself, and one question whether it is done. */
export const fewest = { set: { create: 3, remove: 4 }, group: { create: 2, remove: 3 } } as const

/**
 * What the limits force on one who knows all beforehand, looks no more often than needed, and is told at once when AWS is done: a tenth of a
 * second after the other, removals first, the others in their order.
 */
export function playIdeal(claims: readonly Claim[], { perSecond, atOnce, workMs }: Limits): Played {
  const [waits, late]: [number[], number[]] = [[], []]
  const coming = [...claims]
  const toCreate: Claim[] = []
  const given: Claim[] = []
  const busy = new Map<string, number>()
  const stepMs = 100
  let tokens = 0
  /** One that goes first waits for calls: those behind it may not take them. */
  let isShort = false
  let made = 0
  const start = (claim: Claim, calls: number, now: number): boolean => {
    const { membership } = claim
    const isSet = membership.account !== null
    if (isSet && (busy.size >= atOnce || busy.has(placeOf(membership)))) return false
    if (tokens < calls) {
      isShort = true
      return false
    }
    tokens -= calls
    if (isSet) busy.set(placeOf(membership), now + workMs(++made))
    return true
  }
  const takeAll = (queue: Claim[], begin: (claim: Claim) => boolean) => {
    const left = queue.filter((claim) => isShort || !begin(claim))
    queue.splice(0, queue.length, ...left)
  }
  for (let now = claims[0]?.startsAt ?? 0; coming.length + toCreate.length + given.length > 0; now += stepMs) {
    isShort = false
    tokens = Math.min(perSecond, tokens + (perSecond * stepMs) / 1000)
    for (const [place, at] of busy) if (at <= now) busy.delete(place)
    while (coming[0] && coming[0].startsAt <= now) toCreate.push(coming.shift() as Claim)
    const ended = given.filter(({ endsAt }) => endsAt <= now)
    takeAll(ended, (claim) => {
      const kind = claim.membership.account === null ? 'group' : 'set'
      if (!start(claim, fewest[kind].remove, now)) return false
      late.push((busy.get(placeOf(claim.membership)) ?? now) - claim.endsAt)
      given.splice(given.indexOf(claim), 1)
      return true
    })
    takeAll(toCreate, (claim) => {
      if (claim.endsAt <= now) return true // it has ended before it could be given
      const kind = claim.membership.account === null ? 'group' : 'set'
      if (!start(claim, fewest[kind].create, now)) return false
      waits.push((busy.get(placeOf(claim.membership)) ?? now) - claim.startsAt)
      given.push(claim)
      return true
    })
  }
  return { waits, late }
}
