import { setImmediate as nextTurn } from 'node:timers/promises'
import type { Catalog } from '../catalog/catalog.ts'
import { type Kinds, kindNamed } from '../catalog/kind.ts'
import type { CatalogEntry } from '../catalog/resource.ts'

export interface ResourceSearch {
  /** Words that must all be in id, tags, path or what is shown; in upper or lower case. */
  readonly q?: string
  readonly account?: string
}

export type Matches = (entry: CatalogEntry) => boolean

/** Undefined: all match. Nothing of `q` is a pattern. */
export function matcherOf(kinds: Kinds, { q, account }: ResourceSearch): Matches | undefined {
  const words = [...new Set((q ?? '').toLowerCase().split(/\s+/))].filter((word) => word !== '')
  if (account === undefined && words.length === 0) return undefined
  return (entry) => (account === undefined || entry.account === account) && hasAll(kinds, entry, words)
}

/** Most entries are told by their id; what else they have is put together for the others alone. */
function hasAll(kinds: Kinds, entry: CatalogEntry, words: readonly string[]): boolean {
  const id = entry.id.toLowerCase()
  const left = words.filter((word) => !id.includes(word))
  if (left.length === 0) return true
  const { tags, place, target } = entry
  const tagged = Object.entries(tags).map(([key, value]) => `${key}=${value}`)
  const shown = Object.values(kindNamed(kinds, entry.kind)?.shown?.(target) ?? {})
  const text = [...tagged, place?.path ?? '', ...shown].join('\n').toLowerCase()
  return left.every((word) => text.includes(word))
}

/** Looked at in one turn; others come in between. */
const atOnce = 1000

/** As `catalog.behind`, of those that match. */
export async function searchBehind(
  catalog: Catalog,
  from: string | undefined,
  limit: number,
  kind: string | undefined,
  matches: Matches,
): Promise<readonly CatalogEntry[]> {
  const found: CatalogEntry[] = []
  for (let cursor = from; ; await nextTurn()) {
    const looked = catalog.behind(cursor, atOnce, kind)
    for (const entry of looked) {
      if (matches(entry)) found.push(entry)
      if (found.length === limit) return found
    }
    if (looked.length < atOnce) return found
    cursor = looked.at(-1)?.id
  }
}
