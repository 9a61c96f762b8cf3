import { BrokerError } from '../../proxy/session.ts'
import type { CatalogEntry, Resource } from './resource.ts'

/** Every known resource, by id. */
export interface Catalog {
  readonly all: readonly CatalogEntry[]
  get(id: string): CatalogEntry | undefined
  /** Those that have this full id or, if none has, this last part. */
  named(reference: string): readonly CatalogEntry[]
  /**
   * Finds one resource by its full id or its last part, among those that `isVisible` to the caller, so that
   * unknown and invisible resources look the same.
   * @throws BrokerError RESOURCE_UNKNOWN, or RESOURCE_AMBIGUOUS with the full ids
   */
  find(reference: string, isVisible: (resource: Resource) => boolean): CatalogEntry
  /**
   * Those whose ids come behind one, in the order of ids; found without looking at the others.
   * @param kind only of this kind
   */
  behind(id: string | undefined, limit: number, kind?: string): readonly CatalogEntry[]
  /** How many there are. */
  count(kind?: string): number
}

const mostNamed = 10

export function createCatalog(entries: readonly CatalogEntry[]): Catalog {
  const byId = new Map(entries.map((entry) => [entry.id, entry]))
  const byName = Map.groupBy(entries, (entry) => entry.name)
  const sorted = entries.toSorted((a, b) => (a.id < b.id ? -1 : 1))
  const byKind = Map.groupBy(sorted, (entry) => entry.kind)
  const listed = (kind: string | undefined) => (kind === undefined ? sorted : (byKind.get(kind) ?? []))
  const named = (reference: string) => {
    const exact = byId.get(reference)
    return exact ? [exact] : (byName.get(reference) ?? [])
  }
  return {
    all: entries,
    get: (id) => byId.get(id),
    named,
    behind: (id, limit, kind) => {
      const among = listed(kind)
      const start = id === undefined ? 0 : firstBehind(among, id)
      return among.slice(start, start + limit)
    },
    count: (kind) => listed(kind).length,
    find: (reference, isVisible) => {
      const found = named(reference).filter(isVisible)
      const [only] = found
      if (only && found.length === 1) return only
      if (!only)
        throw new BrokerError('RESOURCE_UNKNOWN', reference.slice(0, 256), {
          hint: 'List your resources with: sallyport ls',
        })
      const ids = found.slice(0, mostNamed).map((resource) => resource.id)
      const more = found.length > mostNamed ? ` and ${found.length - mostNamed} more` : ''
      throw new BrokerError('RESOURCE_AMBIGUOUS', `${ids.join(', ')}${more}; give the full id`)
    },
  }
}

/** @param sorted by id @returns the place of the first whose id is greater */
function firstBehind(sorted: readonly CatalogEntry[], id: string): number {
  let [low, high] = [0, sorted.length]
  while (low < high) {
    const middle = (low + high) >>> 1
    if ((sorted[middle]?.id ?? '') <= id) low = middle + 1
    else high = middle
  }
  return low
}
