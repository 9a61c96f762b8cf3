import type { Discovery, Place } from '../discovery.ts'
import { type Outcome, unitName } from './unit.ts'

/** Regions that are on in an account; whether the broker has a role there shows by the way. */
export const regionsName = 'regions'

/** A discovery in a place, with the name of the unit. */
export interface UnitPlace {
  readonly name: string
  readonly discovery: Discovery
  readonly place: Place
}

/**
 * What is read of one account. Without a role in it nothing but whether there is one by now.
 * @param outcome of its regions; null: they were never read @param regionsInUse empty: all that are on
 */
export function unitsIn(
  account: Place,
  outcome: Outcome | null,
  regions: readonly string[],
  discoveries: { readonly regions: Discovery; readonly others: readonly Discovery[] },
  regionsInUse: readonly string[],
): UnitPlace[] {
  const first = { name: unitName(discoveries.regions, account), discovery: discoveries.regions, place: account }
  if (outcome === null || outcome === 'not-onboarded') return [first]
  const used = regions.filter((region) => regionsInUse.length === 0 || regionsInUse.includes(region))
  const others = discoveries.others.flatMap((discovery) =>
    (discovery.per === 'account' ? [null] : used).map((region) => {
      const place = { ...account, region }
      return { name: unitName(discovery, place), discovery, place }
    }),
  )
  return [first, ...others]
}
