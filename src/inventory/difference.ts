import { isDeepStrictEqual } from 'node:util'
import type { Resource } from '../catalog/resource.ts'
import type { Discovered } from './inventory-store.ts'

/** Missing from so many good passes in a row, a resource is gone. */
const passesUntilGone = 2

/** What a good pass changes; empty when it found what is known. */
export interface Difference {
  /** Found for the first time. */
  readonly added: readonly Discovered[]
  /** Found, and not as they were, or after they were missing. */
  readonly changed: readonly Discovered[]
  /** Not found, and still in the catalog. */
  readonly missing: readonly Discovered[]
  readonly gone: readonly Discovered[]
}

export const noDifference: Difference = { added: [], changed: [], missing: [], gone: [] }

/**
 * Compares what a pass found, which saw all of its scope, with what is known. Pure.
 * @param known of the scope @param at of the pass, epoch milliseconds
 */
export function differenceOf(
  scope: string,
  known: readonly Discovered[],
  found: readonly Resource[],
  at: number,
): Difference {
  const before = new Map(known.map((one) => [one.resource.id, one]))
  const seen = new Set(found.map(({ id }) => id))
  const added: Discovered[] = []
  const changed: Discovered[] = []
  for (const resource of new Map(found.map((one) => [one.id, one])).values()) {
    const old = before.get(resource.id)
    const now = { resource, scope, lastSeenAt: at, missingPasses: 0 }
    if (!old) added.push({ ...now, firstSeenAt: at })
    else if (old.missingPasses > 0 || !isDeepStrictEqual(old.resource, resource))
      changed.push({ ...now, firstSeenAt: old.firstSeenAt })
  }
  const absent = known
    .filter(({ resource }) => !seen.has(resource.id))
    .map((one) => ({ ...one, missingPasses: one.missingPasses + 1 }))
  return {
    added,
    changed,
    missing: absent.filter(({ missingPasses }) => missingPasses < passesUntilGone),
    gone: absent.filter(({ missingPasses }) => missingPasses >= passesUntilGone),
  }
}
