/** The tree of an organization: which units hold an account, as far as the catalog knows it. Pure. */
import type { Kinds } from './kind.ts'
import { kindNamed } from './kind.ts'
import type { Place, TreeNode } from './place.ts'
import type { CatalogEntry } from './resource.ts'

type Tags = CatalogEntry['tags']

const rootId = /^r-/
/** AWS allows five levels of units beneath the root. */
const mostLevels = 10

/** Adds to each entry what is known of its place; the tags are those of the catalog, where what is written by hand wins. */
export function withPlaces(entries: readonly CatalogEntry[], kinds: Kinds): CatalogEntry[] {
  const nodes = new Map<string, { node: TreeNode; tags: Tags }>()
  const ownNodes = new Map<string, TreeNode>()
  for (const entry of entries) {
    const node = kindNamed(kinds, entry.kind)?.node?.(entry.target)
    if (!node) continue
    nodes.set(node.id, { node, tags: entry.tags })
    ownNodes.set(entry.id, node)
  }
  if (nodes.size === 0) return [...entries]
  const known = new Map<string, Place>()
  const placeOf = (id: string): Place | undefined => {
    const found = nodes.get(id)
    if (!found) return undefined
    const place = known.get(id) ?? makePlace(found.node, found.tags, (of) => nodes.get(of)?.node)
    known.set(id, place)
    return place
  }
  return entries.map((entry) => {
    const place = placeOf(ownNodes.get(entry.id)?.id ?? entry.account ?? '')
    return place ? { ...entry, place } : entry
  })
}

function makePlace(node: TreeNode, tags: Tags, nodeOf: (id: string) => TreeNode | undefined): Place {
  const { id, isAccount, unusable } = node
  const above = unitsAbove(node, nodeOf)
  const titles = above?.flatMap((unit) => nodeOf(unit)?.title ?? []).reverse()
  return {
    units: above && (isAccount ? above : [id, ...above]),
    accountTags: isAccount ? tags : null,
    path: titles?.join('/') ?? null,
    unusable,
  }
}

/** Null: the way to the root is not known. */
function unitsAbove(from: TreeNode, nodeOf: (id: string) => TreeNode | undefined): string[] | null {
  const above: string[] = []
  for (let next: TreeNode | undefined = from; next?.parent && above.length < mostLevels; next = nodeOf(next.parent)) {
    above.push(next.parent)
    if (rootId.test(next.parent)) return above
  }
  return null
}
