import type { CompiledQuery } from 'kysely'
import { BrokerError } from '../../../proxy/session.ts'
import type { AuditEvent, AuditLog } from '../../audit/audit.ts'
import type { Resource } from '../../catalog/resource.ts'
import type { Leadership } from '../../daemons/leadership.ts'
import type { Transact } from '../../store/transact.ts'
import type { Clock } from '../../telemetry/clock.ts'
import { type Difference, differenceOf, noDifference } from '../difference.ts'
import type { Place } from '../discovery.ts'
import type { Discovered, InventoryStore } from '../inventory-store.ts'

export interface ResultsDeps {
  readonly store: Pick<InventoryStore, 'ofScope' | 'byIds' | 'putting' | 'removing'>
  readonly transact: Transact
  readonly audit: Pick<AuditLog, 'append'>
  readonly leader: Pick<Leadership, 'claim'>
  readonly clock: Clock
}

/** Resources that one event names. */
const mostPerEvent = 100

/** Why all of a scope is gone, though none of it was looked for in vain. */
export type WhyGone = 'region-off' | 'account-gone'

/** How many resources a reading changed. */
export type Counts = Readonly<Record<keyof Difference, number>>

/** Writes what readings found: the rows of a change with its event, a hundred at once, and nothing where nothing changed. */
export class Results {
  readonly #deps: ResultsDeps

  constructor(deps: ResultsDeps) {
    this.#deps = deps
  }

  /** All that is in a scope was read. @throws BrokerError STALE: this daemon does not lead any more; AUDIT_UNAVAILABLE … */
  async apply(scope: string, found: readonly Resource[]): Promise<Counts> {
    const { store, clock } = this.#deps
    const difference = differenceOf(scope, await store.ofScope(scope), found, clock.now())
    await this.#write(scope, difference)
    return countsOf(difference)
  }

  /** One resource of it was read. @param found null: AWS does not know it, which counts as a reading without it */
  async applyOne(scope: string, id: string, found: Resource | null): Promise<Counts> {
    const { store, clock } = this.#deps
    const known = (await store.byIds([id])).filter((one) => one.scope === scope)
    const difference = differenceOf(scope, known, found ? [found] : [], clock.now())
    await this.#write(scope, difference)
    return countsOf(difference)
  }

  /** A scope is not read any more: what was found in it leaves the inventory. @param why for the log, and for who loses access by it */
  async forget(scope: string, why?: WhyGone): Promise<void> {
    await this.#write(scope, { ...noDifference, gone: await this.#deps.store.ofScope(scope) }, why)
  }

  /** Nothing is written by a daemon that no longer leads. */
  async claimed(writes: readonly CompiledQuery[]): Promise<void> {
    await this.#deps.transact([this.#deps.leader.claim()], ([found = []]) => (found.length > 0 ? writes : []))
  }

  async #write(scope: string, difference: Difference, why?: WhyGone): Promise<void> {
    for (const part of partsOf(difference)) await this.#writePart(scope, part, why)
  }

  async #writePart(scope: string, { added, changed, missing, gone }: Difference, why?: WhyGone): Promise<void> {
    const { store, audit, leader } = this.#deps
    const removing = gone.length > 0 ? [store.removing(idsOf(gone))] : []
    const writes = [...removing, ...[...added, ...changed, ...missing].map((one) => store.putting(one))]
    const event: AuditEvent = {
      type: 'inventory.changed',
      actor: 'system',
      fields: {
        scope,
        ...{ added: idsOf(added), changed: idsOf(changed), missing: idsOf(missing), gone: idsOf(gone) },
        ...(why === undefined ? {} : { why }),
      },
    }
    await audit.append(event, { claims: [leader.claim()], writes })
  }
}

/**
 * Refuses what a reading must not show: a resource of another place, which would let one account speak for another.
 * @throws BrokerError INTERNAL
 */
export function checkFound(found: readonly Resource[], { account, region }: Place, per: 'account' | 'region'): void {
  for (const one of found)
    if (one.account !== account || (per === 'region' && one.region !== region))
      throw new BrokerError('INTERNAL', `${one.id} was found while reading ${account}${region ? ` in ${region}` : ''}`)
}

function countsOf(difference: Difference): Counts {
  const { added, changed, missing, gone } = difference
  return { added: added.length, changed: changed.length, missing: missing.length, gone: gone.length }
}

function idsOf(all: readonly Discovered[]): string[] {
  return all.map(({ resource }) => resource.id)
}

/** In parts of one event each; what takes something away comes first. */
function partsOf(difference: Difference): Difference[] {
  const order = ['gone', 'changed', 'missing', 'added'] as const
  const all = order.flatMap((what) => difference[what].map((one) => ({ what, one })))
  const parts: Difference[] = []
  for (let from = 0; from < all.length; from += mostPerEvent) {
    const part = all.slice(from, from + mostPerEvent)
    const of = (wanted: (typeof order)[number]) => part.flatMap(({ what, one }) => (what === wanted ? [one] : []))
    parts.push({ added: of('added'), changed: of('changed'), missing: of('missing'), gone: of('gone') })
  }
  return parts
}
