import { BrokerError } from '../../proxy/session.ts'
import type { InventoryScope, InventoryUnit } from '../contract/inventory.ts'
import type { Clock } from '../telemetry/clock.ts'
import type { AccountStore } from './engine/account-store.ts'
import { isQuiet, type UnitRecord } from './engine/unit.ts'
import type { Inventory } from './inventory.ts'
import type { InventoryStore } from './inventory-store.ts'
import type { Sync } from './sync.ts'
import { createUnitView, type UnitSeen } from './unit-view.ts'

export interface ScopesDeps {
  readonly store: Pick<InventoryStore, 'scopes' | 'request'>
  readonly accountStore: Pick<AccountStore, 'all' | 'request' | 'requested'>
  readonly inventory: Pick<Inventory, 'all'>
  readonly sync: Pick<Sync, 'accounts' | 'discoveries' | 'units' | 'progressOf'>
  readonly clock: Clock
  readonly regionsInUse: readonly string[]
  /** How the queue of events stands; none: it is not read. */
  events?(): Promise<readonly InventoryScope[]>
}

export interface UnitQuery {
  readonly account?: string | undefined
  readonly scope?: string | undefined
  readonly state?: InventoryUnit['state'] | undefined
}

/** How the inventory stands, for people. */
export function createScopes(deps: ScopesDeps) {
  const { store, accountStore, inventory, sync, clock } = deps
  const unitView = createUnitView(deps)
  const view = async (): Promise<InventoryScope[]> => {
    const rows = new Map((await store.scopes()).map((row) => [row.scope, row]))
    const requested = [...(await accountStore.requested()).values()]
    const byScope = Map.groupBy(await unitView(), ({ discovery }) => discovery)
    const counts = countsOf(inventory)
    const read = [...byScope].map(([scope, units]) => {
      const row = rows.get(scope)
      const isWhole = units[0]?.account === null
      const requestedAt = isWhole ? (row?.requested_at ?? null) : latest(requested)
      const failed = units.filter(({ record }) => isFailed(record))
      return {
        scope,
        organization: row?.organization ?? null,
        state: stateOf(units, requestedAt, sync),
        goodAt: goodAtOf(units),
        triedAt: latest(units.map(({ record }) => record.triedAt ?? 0)),
        requestedAt,
        resources: counts.get(scope)?.resources ?? 0,
        missing: counts.get(scope)?.missing ?? 0,
        error: errorOf(failed),
        fix: failed[0]?.record.fix ?? null,
        progress: isWhole ? progressOf(sync, scope) : null,
        units: isWhole ? null : unitCounts(units, sync),
      }
    })
    return [...read, ...((await deps.events?.()) ?? [])]
  }
  return {
    view,
    /** One by one, sorted by their names. */
    async units({ account, scope, state }: UnitQuery): Promise<InventoryUnit[]> {
      return (await unitView())
        .filter((one) => (account ?? one.account) === one.account && (scope ?? one.discovery) === one.discovery)
        .map((one) => toUnit(one, sync))
        .filter((one) => (state ?? one.state) === one.state)
        .sort((a, b) => (a.unit < b.unit ? -1 : 1))
    },
    /**
     * Asks for all, or for one account.
     * @throws BrokerError UNSUPPORTED when nothing is read; NOT_FOUND: nothing is read in this account
     */
    async request(account?: string): Promise<InventoryScope[]> {
      if (sync.discoveries.length === 0)
        throw new BrokerError('UNSUPPORTED', 'nothing is read of AWS into the catalog', {
          hint: 'set inventory.organization: true, and reload',
        })
      const found = await accountStore.request(clock.now(), sync.accounts, account)
      if (account !== undefined && found === 0)
        throw new BrokerError('NOT_FOUND', `nothing is read in account ${account}`, {
          hint: 'inventory.import switches it on, in accounts of the organization and of aws.accounts',
        })
      for (const { name, per } of account === undefined ? sync.discoveries : [])
        if (per === 'organization') await store.request(name, clock.now())
      return await view()
    },
    /** Epoch milliseconds of the reading that is furthest back, by scope; null: there was none yet. */
    async goodAt(): Promise<ReadonlyMap<string, number | null>> {
      const byScope = Map.groupBy(await unitView(), ({ discovery }) => discovery)
      return new Map([...byScope].map(([scope, units]) => [scope, goodAtOf(units)]))
    },
  }
}

export type Scopes = ReturnType<typeof createScopes>

function countsOf({ all }: Pick<Inventory, 'all'>) {
  const counts = new Map<string, { resources: number; missing: number }>()
  for (const { scope: unit, missingPasses } of all) {
    const scope = unit.split('/', 1)[0] ?? ''
    const count = counts.get(scope) ?? { resources: 0, missing: 0 }
    count.resources += 1
    if (missingPasses > 0) count.missing += 1
    counts.set(scope, count)
  }
  return counts
}

/** A region that is off and an account without a role of the broker are as they are meant to be. */
function isFailed({ outcome }: UnitRecord): boolean {
  return outcome === 'denied' || outcome === 'throttled' || outcome === 'error'
}

function stateOf(
  units: readonly UnitSeen[],
  requestedAt: number | null,
  sync: Pick<Sync, 'progressOf'>,
): InventoryScope['state'] {
  if (units.some(({ name }) => sync.progressOf(name) !== null)) return 'reading'
  if (requestedAt !== null || units.every(({ record }) => record.outcome === null)) return 'waiting'
  return units.some(({ record }) => isFailed(record)) ? 'failed' : 'good'
}

/** Of those that are read often, what is furthest back. */
function goodAtOf(units: readonly UnitSeen[]): number | null {
  const good = units.filter(({ record }) => record.goodAt !== null)
  const often = good.filter(({ record }) => !isQuiet(record))
  const times = (often.length > 0 ? often : good).map(({ record }) => record.goodAt ?? 0)
  return times.length > 0 ? times.reduce((a, b) => Math.min(a, b)) : null
}

function errorOf(failed: readonly UnitSeen[]): string | null {
  const [first, ...others] = failed
  if (!first) return null
  const place = first.account === null ? '' : `${first.name}: `
  return `${place}${first.record.error}${others.length > 0 ? ` (and ${others.length} more)` : ''}`
}

function progressOf(sync: Pick<Sync, 'progressOf'>, name: string): InventoryScope['progress'] {
  const progress = sync.progressOf(name)
  return progress && { phase: progress.phase, done: progress.done, total: progress.total ?? null }
}

const states = {
  ok: 'good',
  denied: 'denied',
  disabled: 'disabled',
  'not-onboarded': 'not-onboarded',
  throttled: 'throttled',
  error: 'failed',
} as const

function toUnit({ name, discovery, account, region, record }: UnitSeen, sync: Pick<Sync, 'progressOf'>): InventoryUnit {
  const state = record.outcome === null ? 'waiting' : states[record.outcome]
  return {
    unit: name,
    scope: discovery,
    ...{ account, region },
    state: sync.progressOf(name) === null ? state : 'reading',
    isQuiet: isQuiet(record),
    firstGoodAt: record.firstGoodAt,
    goodAt: record.goodAt,
    triedAt: record.triedAt,
    error: record.error,
    fix: record.fix,
  }
}

function unitCounts(units: readonly UnitSeen[], sync: Pick<Sync, 'progressOf'>): NonNullable<InventoryScope['units']> {
  const counts = { of: units.length, done: 0, reading: 0, quiet: 0, notOnboarded: 0, disabled: 0, denied: 0, failed: 0 }
  for (const { name, record } of units) {
    const { outcome } = record
    if (outcome !== null) counts.done += 1
    if (sync.progressOf(name) !== null) counts.reading += 1
    if (isQuiet(record)) counts.quiet += 1
    if (outcome === 'not-onboarded') counts.notOnboarded += 1
    if (outcome === 'disabled') counts.disabled += 1
    if (outcome === 'denied') counts.denied += 1
    if (outcome === 'throttled' || outcome === 'error') counts.failed += 1
  }
  return counts
}

function latest(times: readonly number[]): number | null {
  return times.reduce((a, b) => Math.max(a, b), 0) || null
}
