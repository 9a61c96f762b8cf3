import type { Clock } from '../telemetry/clock.ts'
import type { Discovery } from './discovery.ts'
import type { AccountStore } from './engine/account-store.ts'
import { regionsName, type UnitPlace, unitsIn } from './engine/account-units.ts'
import { recordOf } from './engine/organization-units.ts'
import { neverRead, type UnitRecord } from './engine/unit.ts'
import type { InventoryStore } from './inventory-store.ts'
import type { ScopeRow } from './inventory-tables.ts'
import type { Sync } from './sync.ts'

/** A unit as this daemon knows it, whether it leads or not. */
export interface UnitSeen {
  readonly name: string
  readonly discovery: string
  /** Null: it is read once for the organization. */
  readonly account: string | null
  readonly region: string | null
  readonly record: UnitRecord
}

export interface UnitViewDeps {
  readonly store: Pick<InventoryStore, 'scopes'>
  readonly accountStore: Pick<AccountStore, 'all'>
  readonly sync: Pick<Sync, 'discoveries' | 'units'>
  readonly clock: Clock
  readonly regionsInUse: readonly string[]
}

const freshMs = 5000
const regions: Pick<Discovery, 'name' | 'per'> = { name: regionsName, per: 'account' }

/** All units with how they stand: on the daemon that leads as they are, on others as that one has written last. */
export function createUnitView({ store, accountStore, sync, clock, regionsInUse }: UnitViewDeps) {
  let kept: { readonly at: number; readonly units: readonly UnitSeen[] } | undefined
  const ofAccounts = async (): Promise<readonly UnitSeen[]> => {
    const now = clock.now()
    if (kept && now >= kept.at && now - kept.at < freshMs) return kept.units
    const others = sync.discoveries.filter(({ per }) => per !== 'organization')
    const units: UnitSeen[] = []
    for (const { account, regions: on, units: records } of others.length > 0 ? await accountStore.all() : []) {
      const outcome = records.get(`${regionsName}/${account}`)?.outcome ?? null
      const place = { partition: '', account, region: null }
      const all = { regions: regions as Discovery, others }
      for (const one of unitsIn(place, outcome, on ?? [], all, regionsInUse))
        units.push(seen(one, records.get(one.name) ?? neverRead))
    }
    kept = { at: now, units }
    return units
  }
  return async (): Promise<readonly UnitSeen[]> => {
    const own = sync.units
    const whole = sync.discoveries.filter(({ per }) => per === 'organization')
    if (own) {
      const read = new Set(sync.discoveries.map(({ name }) => name))
      const inAccounts = sync.discoveries.some(({ per }) => per !== 'organization')
      const isRead = (name: string) => read.has(name) || (inAccounts && name === regionsName)
      const units = own.flatMap((unit) => (isRead(unit.discovery.name) ? [seen(unit, unit.record)] : []))
      const begun = new Set(units.map(({ name }) => name))
      return [...whole.filter(({ name }) => !begun.has(name)).map(({ name }) => ofAll(name, neverRead)), ...units]
    }
    const rows = new Map((await store.scopes()).map((row: ScopeRow) => [row.scope, row]))
    const seenElsewhere = whole.map(({ name }) => {
      const row = rows.get(name)
      return ofAll(name, row ? recordOf(row) : neverRead)
    })
    return [...seenElsewhere, ...(await ofAccounts())]
  }
}

/** Of what is read once for the organization; it may have been switched on a moment ago. */
function ofAll(name: string, record: UnitRecord): UnitSeen {
  return { name, discovery: name, account: null, region: null, record }
}

function seen({ name, discovery, place }: UnitPlace, record: UnitRecord): UnitSeen {
  const isWhole = discovery.per === 'organization'
  return { name, discovery: discovery.name, account: isWhole ? null : place.account, region: place.region, record }
}
