import { isDeepStrictEqual } from 'node:util'
import { BrokerError } from '../../proxy/session.ts'
import { toEntry } from './entry.ts'
import { type Kinds, kindNamed } from './kind.ts'
import type { TreeNode } from './place.ts'
import { PlaceTree } from './place-tree.ts'
import type { CatalogEntry, Resource, ResourceFile } from './resource.ts'
import { SortedIds } from './sorted-ids.ts'

/** Every known resource, by id. */
export interface Catalog {
  /** In the order of their ids; another array after each change. */
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

/** An entry that is written by hand, with the file's own words. */
export interface WrittenEntry {
  readonly entry: CatalogEntry
  readonly file: ResourceFile
  /** Only a part is written: the resource is there once the rest is found. */
  readonly isPartial?: boolean
}

const mostNamed = 10

/** The catalog as what is discovered comes and goes: a change costs as much as what it changes, however much there is. */
export class LiveCatalog implements Catalog {
  readonly #kinds: Kinds
  readonly #written: ReadonlyMap<string, WrittenEntry>
  readonly #entries = new Map<string, CatalogEntry>()
  readonly #sorted = new SortedIds()
  readonly #byName = new Map<string, Set<string>>()
  readonly #byAccount = new Map<string, Set<string>>()
  readonly #counts = new Map<string, number>()
  readonly #tree = new PlaceTree()
  /** Of entries that are nodes of the tree: their ids there, and back. */
  readonly #nodeOf = new Map<string, string>()
  readonly #entryOf = new Map<string, string>()
  #all: readonly CatalogEntry[] | undefined

  constructor(kinds: Kinds, written: readonly WrittenEntry[]) {
    this.#kinds = kinds
    this.#written = new Map(written.map((one) => [one.entry.id, one]))
    this.use(new Map(written.map(({ entry }) => [entry.id, null])))
  }

  /**
   * What was discovered, by id; null: it is not there any more. Of a resource that is also written by hand, the members that are written
   * win, its tags as a whole. What its kind cannot read is left out.
   * @returns ids of the entries that are not as they were
   */
  use(changes: ReadonlyMap<string, Resource | null>): Set<string> {
    const nodes = new Map<string, { readonly node: TreeNode; readonly tags: CatalogEntry['tags'] } | null>()
    const read = new Map<string, CatalogEntry | undefined>()
    for (const [id, found] of changes) {
      const entry = this.#read(id, found)
      read.set(id, entry)
      const before = this.#nodeOf.get(id)
      if (before !== undefined && !nodes.has(before)) nodes.set(before, null)
      const node = entry?.target === undefined ? undefined : kindNamed(this.#kinds, entry.kind)?.node?.(entry.target)
      if (entry && node) nodes.set(node.id, { node, tags: entry.tags })
      if (node) {
        this.#nodeOf.set(id, node.id)
        this.#entryOf.set(node.id, id)
      } else if (before !== undefined) {
        this.#nodeOf.delete(id)
        this.#entryOf.delete(before)
      }
    }
    for (const moved of this.#tree.use(nodes)) {
      const beneath = [...(this.#byAccount.get(moved) ?? []), this.#entryOf.get(moved) ?? '']
      for (const id of beneath) if (!read.has(id)) read.set(id, this.#entries.get(id))
    }
    const changed = new Set<string>()
    for (const [id, entry] of read) if (this.#put(id, entry)) changed.add(id)
    if (changed.size > 0) this.#all = undefined
    return changed
  }

  get all(): readonly CatalogEntry[] {
    this.#all ??= [...this.#sorted.behind()].flatMap((id) => this.#entries.get(id) ?? [])
    return this.#all
  }

  /** Whether it is also written by hand. */
  isWritten(id: string): boolean {
    return this.#written.has(id)
  }

  get(id: string): CatalogEntry | undefined {
    return this.#entries.get(id)
  }

  named(reference: string): readonly CatalogEntry[] {
    const exact = this.#entries.get(reference)
    if (exact) return [exact]
    return [...(this.#byName.get(reference) ?? [])].sort().flatMap((id) => this.#entries.get(id) ?? [])
  }

  behind(id: string | undefined, limit: number, kind?: string): readonly CatalogEntry[] {
    const found: CatalogEntry[] = []
    const first = kind === undefined ? '' : `${kind}/`
    const start = id === undefined || id < first ? first : id
    for (const next of this.#sorted.behind(start)) {
      if (found.length >= limit || !next.startsWith(first)) break
      const entry = this.#entries.get(next)
      if (entry) found.push(entry)
    }
    return found
  }

  count(kind?: string): number {
    return kind === undefined ? this.#entries.size : (this.#counts.get(kind) ?? 0)
  }

  find(reference: string, isVisible: (resource: Resource) => boolean): CatalogEntry {
    const found = this.named(reference).filter(isVisible)
    const [only] = found
    if (only && found.length === 1) return only
    if (!only)
      throw new BrokerError('RESOURCE_UNKNOWN', reference.slice(0, 256), {
        hint: 'List your resources with: sallyport ls',
      })
    const ids = found.slice(0, mostNamed).map((resource) => resource.id)
    const more = found.length > mostNamed ? ` and ${found.length - mostNamed} more` : ''
    throw new BrokerError('RESOURCE_AMBIGUOUS', `${ids.join(', ')}${more}; give the full id`)
  }

  #read(id: string, found: Resource | null): CatalogEntry | undefined {
    const written = this.#written.get(id)
    if (!written) return found ? readEntry(found, this.#kinds) : undefined
    const { entry, file, isPartial } = written
    return (found && readEntry(overlay(found, entry, file), this.#kinds)) ?? (isPartial ? undefined : entry)
  }

  /** @returns whether it is another one now */
  #put(id: string, entry: CatalogEntry | undefined): boolean {
    const before = this.#entries.get(id)
    if (!entry) {
      if (before) this.#remove(before)
      return before !== undefined
    }
    const { place: _, ...bare } = entry
    const place = this.#tree.placeOf(this.#nodeOf.get(id) ?? entry.account ?? '')
    const now: CatalogEntry = place ? { ...bare, place } : bare
    if (before && isDeepStrictEqual(before, now)) return false
    if (before && before.account !== now.account) this.#remove(before)
    this.#entries.set(id, now)
    this.#sorted.add(id)
    if (!before) this.#counts.set(now.kind, (this.#counts.get(now.kind) ?? 0) + 1)
    addTo(this.#byName, now.name, id)
    if (now.account !== null) addTo(this.#byAccount, now.account, id)
    return true
  }

  #remove({ id, kind, name, account }: CatalogEntry): void {
    this.#entries.delete(id)
    this.#sorted.delete(id)
    this.#counts.set(kind, (this.#counts.get(kind) ?? 1) - 1)
    removeFrom(this.#byName, name, id)
    if (account !== null) removeFrom(this.#byAccount, account, id)
  }
}

function overlay(found: Resource, written: Resource, file: ResourceFile): Resource {
  return {
    ...found,
    source: 'config',
    attributes: { ...found.attributes, ...written.attributes },
    ...(file.partition === undefined ? {} : { partition: file.partition }),
    ...(file.tags === undefined ? {} : { tags: file.tags }),
  }
}

function readEntry(resource: Resource, kinds: Kinds): CatalogEntry | undefined {
  const kind = kindNamed(kinds, resource.kind)
  const target = kind?.target.read(resource)
  return kind && target?.ok ? toEntry(resource, kind, target.value) : undefined
}

function addTo(all: Map<string, Set<string>>, key: string, id: string): void {
  const among = all.get(key)
  if (among) among.add(id)
  else all.set(key, new Set([id]))
}

function removeFrom(all: Map<string, Set<string>>, key: string, id: string): void {
  const among = all.get(key)
  among?.delete(id)
  if (among?.size === 0) all.delete(key)
}
