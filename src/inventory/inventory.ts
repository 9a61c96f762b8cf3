import type { AuditRecord } from '../audit/audit.ts'
import type { Resource } from '../catalog/resource.ts'
import type { Background } from '../telemetry/background.ts'
import type { Discovered, InventoryStore } from './inventory-store.ts'

export interface InventoryDeps {
  readonly store: Pick<InventoryStore, 'all' | 'byIds'>
  readonly background: Background
  /** Of access: what is discovered goes into the catalog, and what no rule covers any more ends. */
  readonly access: {
    noteInventory(ids: readonly string[], seq: number): void
    useInventory(
      found: readonly Resource[],
      gone: readonly string[],
      seq: number,
      why?: ReadonlyMap<string, string>,
    ): Promise<void>
  }
}

/** Fields of `inventory.changed` that name resources. */
const named = ['gone', 'changed', 'missing', 'added'] as const

/** What is discovered, in the memory of each daemon; it follows the log, whichever daemon wrote it. */
export class Inventory {
  readonly #deps: InventoryDeps
  readonly #known = new Map<string, Discovered>()
  readonly #byScope = new Map<string, Map<string, Discovered>>()
  /** Ids whose rows must be read again. */
  readonly #stale = new Set<string>()
  /** Of some that are gone, why, in words. */
  readonly #why = new Map<string, string>()
  #seq = 0
  #reading: Promise<void> | undefined

  constructor(deps: InventoryDeps) {
    this.#deps = deps
  }

  get all(): readonly Discovered[] {
    return [...this.#known.values()]
  }

  /** Of one unit. */
  inScope(scope: string): readonly Discovered[] {
    return [...(this.#byScope.get(scope)?.values() ?? [])]
  }

  /** At start, before the rules are loaded. @throws BrokerError STORE_UNAVAILABLE */
  async load(): Promise<void> {
    for (const one of await this.#deps.store.all()) this.#put(one)
    await this.#deps.access.useInventory(
      this.all.map(({ resource }) => resource),
      [],
      this.#seq,
    )
  }

  /** What some daemon has written, as the log tells it. */
  apply({ type, seq, fields }: Pick<AuditRecord, 'type' | 'seq' | 'fields'>): void {
    if (type !== 'inventory.changed') return
    const ids = named.flatMap((member) => listOf(fields[member]))
    for (const id of ids) this.#stale.add(id)
    const why = wordsOf(fields)
    if (why !== null) for (const id of listOf(fields.gone)) this.#why.set(id, why)
    this.#seq = seq
    this.#deps.access.noteInventory(ids, seq)
    this.#deps.background.run('reading the inventory', () => this.refresh())
  }

  /** Reads what has changed; also tries again what could not be read. One at a time: what comes meanwhile is read with the next. */
  async refresh(): Promise<void> {
    this.#reading ??= this.#readStale().finally(() => {
      this.#reading = undefined
    })
    await this.#reading
  }

  async #readStale(): Promise<void> {
    while (this.#stale.size > 0) {
      const [ids, seq] = [[...this.#stale], this.#seq]
      const found: Discovered[] = []
      for (let from = 0; from < ids.length; from += atOnce)
        found.push(...(await this.#deps.store.byIds(ids.slice(from, from + atOnce))))
      for (const id of ids) {
        this.#stale.delete(id)
        this.#remove(id)
      }
      for (const one of found) this.#put(one)
      const there = new Set(found.map(({ resource }) => resource.id))
      const why = new Map(ids.flatMap((id) => this.#takeWhy(id)))
      await this.#deps.access.useInventory(
        found.map(({ resource }) => resource),
        ids.filter((id) => !there.has(id)),
        seq,
        why,
      )
    }
  }

  #takeWhy(id: string): [string, string][] {
    const why = this.#why.get(id)
    this.#why.delete(id)
    return why === undefined ? [] : [[id, why]]
  }

  #put(one: Discovered): void {
    const { scope, resource } = one
    this.#remove(resource.id)
    this.#known.set(resource.id, one)
    const among = this.#byScope.get(scope) ?? new Map<string, Discovered>()
    this.#byScope.set(scope, among.set(resource.id, one))
  }

  #remove(id: string): void {
    const scope = this.#known.get(id)?.scope
    if (scope === undefined) return
    this.#known.delete(id)
    const among = this.#byScope.get(scope)
    among?.delete(id)
    if (among?.size === 0) this.#byScope.delete(scope)
  }
}

/** Rows of one query. */
const atOnce = 500

/** Why all of a scope is gone; null: each of it was looked for in vain. */
function wordsOf({ scope, why }: AuditRecord['fields']): string | null {
  const [, account, region] = String(scope).split('/')
  if (why === 'region-off') return `region ${region} is off in account ${account}`
  return why === 'account-gone' ? `account ${account} is not in the organization any more` : null
}

function listOf(value: unknown): readonly string[] {
  return Array.isArray(value) ? value.filter((one) => typeof one === 'string') : []
}
