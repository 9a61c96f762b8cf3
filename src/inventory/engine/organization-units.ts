import { BrokerError } from '../../../proxy/session.ts'
import type { Resource } from '../../catalog/resource.ts'
import type { Discovery, Place } from '../discovery.ts'
import type { InventoryStore } from '../inventory-store.ts'
import type { ScopeRow } from '../inventory-tables.ts'
import type { Results } from './results.ts'
import type { Schedule } from './schedule.ts'
import { neverRead, type Unit, type UnitRecord } from './unit.ts'

const hour = 3_600_000

/** The units that are read once for the organization; each has a row of its own. */
export class OrganizationUnits {
  readonly #schedule: Schedule
  readonly #store: Pick<InventoryStore, 'scopes' | 'puttingScope' | 'removingScope'>
  readonly #results: Results
  readonly #place: Place
  #rows = new Map<string, ScopeRow>()
  /** Requests that are in the schedule already. */
  readonly #asked = new Map<string, number>()

  constructor(deps: {
    readonly schedule: Schedule
    readonly store: Pick<InventoryStore, 'scopes' | 'puttingScope' | 'removingScope'>
    readonly results: Results
    readonly place: Place
  }) {
    this.#schedule = deps.schedule
    this.#store = deps.store
    this.#results = deps.results
    this.#place = deps.place
  }

  /** What is to be read, and what people asked for since. */
  async use(discoveries: readonly Discovery[]): Promise<void> {
    this.#rows = new Map((await this.#store.scopes()).map((row) => [row.scope, row]))
    for (const discovery of discoveries) {
      const { name } = discovery
      const row = this.#rows.get(name)
      this.#schedule.add({ name, discovery, place: this.#place, record: row ? recordOf(row) : neverRead })
      const at = row?.requested_at ?? null
      if (at === null || (this.#asked.get(name) ?? 0) >= at) continue
      this.#asked.set(name, at)
      this.#schedule.ask(name, at)
    }
    const names = new Set(discoveries.map(({ name }) => name))
    for (const scope of this.#rows.keys()) if (!names.has(scope)) await this.#forget(scope)
  }

  /** @throws BrokerError where another organization answers than before: all of the first would be gone */
  check({ name }: Unit, found: readonly Resource[]): void {
    const shown = organizationOf(found)
    const before = this.#rows.get(name)?.organization ?? shown
    if (shown !== null && shown !== before)
      throw new BrokerError('AWS_DENIED', `AWS shows organization ${shown}; the catalog has ${before}`, {
        hint: 'give the hub the account of before; to read the other one, reload with inventory.organization: false, then true',
      })
  }

  /** Writes how a reading ended where that is news, was asked for, or an hour has passed. */
  async note({ name }: Unit, record: UnitRecord, found: readonly Resource[] | null): Promise<void> {
    const before = this.#rows.get(name)
    const now = {
      scope: name,
      organization: (found && organizationOf(found)) ?? before?.organization ?? null,
      good_at: record.goodAt,
      tried_at: record.triedAt,
      error: record.error,
      fix: record.fix,
    }
    const isNews = now.error !== (before?.error ?? null) || now.organization !== (before?.organization ?? null)
    const isOld = (now.tried_at ?? 0) - (before?.tried_at ?? 0) >= hour
    if (!isNews && !isOld && (before?.requested_at ?? null) === null && !this.#asked.has(name)) return
    await this.#results.claimed([this.#store.puttingScope(now, now.tried_at ?? 0)])
    this.#rows.set(name, { ...now, requested_at: null })
    if ((this.#asked.get(name) ?? 0) <= (now.tried_at ?? 0)) this.#asked.delete(name)
  }

  /** It is no longer to be read: what was found leaves the store, as it has left the catalog. */
  async #forget(scope: string): Promise<void> {
    this.#schedule.remove(scope, new BrokerError('AWS_UNAVAILABLE', 'it is not read any more'))
    await this.#results.forget(scope)
    await this.#results.claimed([this.#store.removingScope(scope)])
    this.#rows.delete(scope)
  }
}

function organizationOf(found: readonly Resource[]): string | null {
  return found.find(({ organization }) => organization !== null)?.organization ?? null
}

/** What the row of an organization's unit says. */
export function recordOf(row: ScopeRow): UnitRecord {
  return {
    outcome: row.error === null ? (row.good_at === null ? null : 'ok') : 'error',
    triedAt: row.tried_at,
    firstGoodAt: row.good_at,
    goodAt: row.good_at,
    empty: 0,
    failures: row.error === null ? 0 : 1,
    error: row.error,
    fix: row.fix,
  }
}
