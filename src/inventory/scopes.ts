import { BrokerError } from '../../proxy/session.ts'
import type { InventoryScope } from '../contract/resources.ts'
import type { Clock } from '../telemetry/clock.ts'
import type { Inventory } from './inventory.ts'
import type { InventoryStore } from './inventory-store.ts'
import type { ScopeRow } from './inventory-tables.ts'
import { organizationScope, type Sync } from './sync.ts'

export interface ScopesDeps {
  readonly store: Pick<InventoryStore, 'scope' | 'request'>
  readonly inventory: Pick<Inventory, 'all'>
  readonly sync: Pick<Sync, 'settings' | 'progress' | 'passes'>
  readonly clock: Clock
}

/** How the inventory stands, for people. */
export function createScopes({ store, inventory, sync, clock }: ScopesDeps) {
  const view = async (): Promise<InventoryScope[]> => {
    if (!sync.settings.organization) return []
    const row = await store.scope(organizationScope)
    const known = inventory.all.filter(({ scope }) => scope === organizationScope)
    const goodAt = latest(row?.good_at, sync.passes.goodAt)
    const { progress } = sync
    return [
      {
        scope: organizationScope,
        organization: row?.organization ?? null,
        state: stateOf(row, goodAt, progress !== null),
        goodAt,
        triedAt: latest(row?.tried_at, sync.passes.triedAt),
        requestedAt: row?.requested_at ?? null,
        resources: known.length,
        missing: known.filter(({ missingPasses }) => missingPasses > 0).length,
        error: row?.error ?? null,
        fix: row?.fix ?? null,
        progress: progress && { phase: progress.phase, done: progress.done, total: progress.total ?? null },
      },
    ]
  }
  return {
    view,
    /** @throws BrokerError UNSUPPORTED when nothing is read */
    async request(): Promise<InventoryScope[]> {
      if (!sync.settings.organization)
        throw new BrokerError('UNSUPPORTED', 'nothing is read of AWS into the catalog', {
          hint: 'set inventory.organization: true, and reload',
        })
      await store.request(organizationScope, clock.now())
      return await view()
    },
    /** Epoch milliseconds; null: there was none yet. */
    async goodAt(): Promise<number | null> {
      if (!sync.settings.organization) return null
      return latest((await store.scope(organizationScope))?.good_at, sync.passes.goodAt)
    },
  }
}

export type Scopes = ReturnType<typeof createScopes>

function stateOf(row: ScopeRow | undefined, goodAt: number | null, isReading: boolean): InventoryScope['state'] {
  if (isReading) return 'reading'
  if ((row?.requested_at ?? null) !== null) return 'waiting'
  if ((row?.error ?? null) !== null) return 'failed'
  return goodAt === null ? 'waiting' : 'good'
}

function latest(a: number | null | undefined, b: number | null): number | null {
  return Math.max(a ?? 0, b ?? 0) || null
}
