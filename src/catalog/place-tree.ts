/** The tree of an organization: which units hold an account, as far as the catalog knows it. */
import { isDeepStrictEqual } from 'node:util'
import type { Place, TreeNode } from './place.ts'

type Tags = Readonly<Record<string, string>>

interface Node {
  readonly node: TreeNode
  readonly tags: Tags
  place: Place
}

const rootId = /^r-/
/** AWS allows five levels of units beneath the root. */
const mostLevels = 10

/** Where each account and unit stands; a change costs as much as what it moves. */
export class PlaceTree {
  readonly #nodes = new Map<string, Node>()
  /** By parent, which need not be known. */
  readonly #children = new Map<string, Set<string>>()

  placeOf(id: string): Place | undefined {
    return this.#nodes.get(id)?.place
  }

  /**
   * Nodes that came, changed or, as null, went. The tags are those of the catalog, where what is written by hand wins.
   * @returns ids of those that stand elsewhere now, or are new or gone
   */
  use(changes: ReadonlyMap<string, { readonly node: TreeNode; readonly tags: Tags } | null>): Set<string> {
    for (const [id, change] of changes) this.#put(id, change)
    const moved = new Set<string>()
    for (const id of this.#beneath(changes.keys())) {
      const known = this.#nodes.get(id)
      if (!known) {
        moved.add(id)
        continue
      }
      const place = this.#makePlace(known)
      if (!isDeepStrictEqual(known.place, place)) {
        known.place = place
        moved.add(id)
      }
    }
    return moved
  }

  #put(id: string, change: { readonly node: TreeNode; readonly tags: Tags } | null): void {
    const before = this.#nodes.get(id)
    const parent = before?.node.parent
    if (parent) {
      const among = this.#children.get(parent)
      among?.delete(id)
      if (among?.size === 0) this.#children.delete(parent)
    }
    if (!change) {
      this.#nodes.delete(id)
      return
    }
    this.#nodes.set(id, { ...change, place: before?.place ?? nowhere })
    if (!change.node.parent) return
    const among = this.#children.get(change.node.parent) ?? new Set()
    this.#children.set(change.node.parent, among.add(id))
  }

  /** Themselves and all beneath; units may stand in a circle. */
  #beneath(ids: Iterable<string>): Set<string> {
    const found = new Set(ids)
    for (const id of found) for (const child of this.#children.get(id) ?? []) found.add(child)
    return found
  }

  #makePlace({ node, tags }: Node): Place {
    const { id, isAccount, unusable } = node
    const above = this.#unitsAbove(node)
    const titles = above?.flatMap((unit) => this.#nodes.get(unit)?.node.title ?? []).reverse()
    return {
      units: above && (isAccount ? above : [id, ...above]),
      accountTags: isAccount ? tags : null,
      path: titles?.join('/') ?? null,
      unusable,
    }
  }

  /** Null: the way to the root is not known. */
  #unitsAbove(from: TreeNode): string[] | null {
    const above: string[] = []
    for (
      let next: TreeNode | undefined = from;
      next?.parent && above.length < mostLevels;
      next = this.#nodes.get(next.parent)?.node
    ) {
      above.push(next.parent)
      if (rootId.test(next.parent)) return above
    }
    return null
  }
}

const nowhere: Place = { units: null, accountTags: null, path: null, unusable: null }
