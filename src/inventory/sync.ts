import type { CompiledQuery } from 'kysely'
import { BrokerError } from '../../proxy/session.ts'
import type { AuditEvent, AuditLog } from '../audit/audit.ts'
import type { OrganizationPicture } from '../aws/organization/picture.ts'
import type { ReadOptions, ReadProgress } from '../aws/organization/read-organization.ts'
import type { Config } from '../config/config.ts'
import type { Leadership } from '../daemons/leadership.ts'
import type { Transact } from '../store/transact.ts'
import type { Clock } from '../telemetry/clock.ts'
import type { Logger } from '../telemetry/logger.ts'
import type { Metrics } from '../telemetry/metrics.ts'
import { type Difference, differenceOf } from './difference.ts'
import type { Discovered, InventoryStore } from './inventory-store.ts'
import type { ScopeRow } from './inventory-tables.ts'
import { organizationResources } from './organization-resources.ts'

export interface SyncDeps {
  readonly store: Pick<InventoryStore, 'all' | 'putting' | 'removing' | 'scope' | 'puttingScope' | 'removingScope'>
  readonly transact: Transact
  readonly audit: Pick<AuditLog, 'append'>
  readonly leader: Leadership
  readonly clock: Clock
  readonly logger: Pick<Logger, 'info' | 'warn'>
  readonly metrics: Pick<Metrics, 'inventoryFailuresTotal'>
  /** @throws BrokerError AWS_DENIED, AWS_UNAVAILABLE; then nothing of the pass counts */
  read(options: Pick<ReadOptions, 'signal' | 'onProgress'>): Promise<OrganizationPicture>
}

export type InventorySettings = Config['inventory']

export const organizationScope = 'organization'

const hour = 3_600_000
/** Resources that one event names. */
const mostPerEvent = 100

/** Reads the organization into the inventory, on the daemon that leads. */
export class Sync {
  readonly #deps: SyncDeps
  #settings: InventorySettings
  /** Of passes of this daemon: the row is not written for each. */
  #triedAt = 0
  #goodAt: number | null = null
  #progress: ReadProgress | null = null

  constructor(deps: SyncDeps, settings: InventorySettings) {
    this.#deps = deps
    this.#settings = settings
  }

  get settings(): InventorySettings {
    return this.#settings
  }

  /** After a reload; takes effect with the next {@link run}. */
  use(settings: InventorySettings): void {
    this.#settings = settings
  }

  /** Of the pass that runs here; null: none does. */
  get progress(): ReadProgress | null {
    return this.#progress
  }

  /** Epoch milliseconds of the last good and the last pass of this daemon; 0 or null: none yet. */
  get passes(): { readonly goodAt: number | null; readonly triedAt: number } {
    return { goodAt: this.#goodAt, triedAt: this.#triedAt }
  }

  /** A pass when one is due or was asked for. For the chore of the daemon that leads. */
  async run(signal: AbortSignal): Promise<void> {
    const { store, clock } = this.#deps
    const row = await store.scope(organizationScope)
    if (!this.#settings.organization) {
      if (row) await this.#forget()
      return
    }
    const last = Math.max(row?.tried_at ?? 0, this.#triedAt)
    const isDue = clock.now() - last >= this.#settings.everyMs || last > clock.now()
    if (isDue || (row?.requested_at ?? null) !== null) await this.#pass(row, signal)
  }

  async #pass(row: ScopeRow | undefined, signal: AbortSignal): Promise<void> {
    const { clock, logger, metrics } = this.#deps
    const startedAt = clock.now()
    this.#triedAt = startedAt
    try {
      const picture = await this.#read(row, signal)
      await this.#apply(row, picture, startedAt)
    } catch (error) {
      if (signal.aborted || isOver(error)) return // the daemon that leads now does it
      const { message, hint } = error as BrokerError
      metrics.inventoryFailuresTotal.inc({ scope: organizationScope })
      logger.warn({ err: error }, 'the organization could not be read; what is known of it stays')
      const fix = hint ?? "see the daemon's log"
      await this.#settle({ ...emptyScope, ...row, tried_at: startedAt, error: message, fix }, row)
    } finally {
      this.#progress = null
    }
  }

  async #read(row: ScopeRow | undefined, signal: AbortSignal): Promise<OrganizationPicture> {
    const { leader, read } = this.#deps
    const onProgress = (progress: ReadProgress) => {
      leader.check()
      this.#progress = progress
    }
    const picture = await read({ signal, onProgress })
    const before = row?.organization ?? picture.id
    if (picture.id !== before)
      throw new BrokerError('AWS_DENIED', `AWS shows organization ${picture.id}; the catalog has ${before}`, {
        hint: 'give the hub the account of before; to read the other one, reload with inventory.organization: false, then true',
      })
    if (picture.accounts.length === 0)
      throw new BrokerError('AWS_UNAVAILABLE', 'AWS shows an organization without any account')
    return picture
  }

  /** Writes what has changed, with an event for each hundred resources; nothing when nothing has. */
  async #apply(row: ScopeRow | undefined, picture: OrganizationPicture, startedAt: number): Promise<void> {
    const { store, clock, logger } = this.#deps
    const known = (await store.all()).filter(({ scope }) => scope === organizationScope)
    const difference = differenceOf(organizationScope, known, organizationResources(picture), clock.now())
    for (const part of partsOf(difference)) await this.#write(part)
    this.#goodAt = startedAt
    const counts = Object.fromEntries(Object.entries(difference).map(([what, { length }]) => [what, length]))
    if (Object.values(counts).some((count) => count > 0))
      logger.info(counts, 'the organization was read: it has changed')
    const good = { good_at: startedAt, tried_at: startedAt, error: null, fix: null }
    await this.#settle({ scope: organizationScope, organization: picture.id, ...good }, row)
  }

  async #write({ added, changed, missing, gone }: Difference): Promise<void> {
    const { store, audit, leader } = this.#deps
    const removing = gone.length > 0 ? [store.removing(idsOf(gone))] : []
    const writes = [...removing, ...[...added, ...changed, ...missing].map((one) => store.putting(one))]
    const event: AuditEvent = {
      type: 'inventory.changed',
      actor: 'system',
      fields: {
        scope: organizationScope,
        ...{ added: idsOf(added), changed: idsOf(changed), missing: idsOf(missing), gone: idsOf(gone) },
      },
    }
    await audit.append(event, { claims: [leader.claim()], writes })
  }

  /** Writes how a pass ended where that is news, was asked for, or an hour has passed. */
  async #settle({ requested_at: _, ...now }: ScopeLike, before: ScopeRow | undefined): Promise<void> {
    const { store } = this.#deps
    const isNews = now.error !== (before?.error ?? null) || now.organization !== (before?.organization ?? null)
    const isOld = (now.tried_at ?? 0) - (before?.tried_at ?? 0) >= hour
    if (!isNews && !isOld && (before?.requested_at ?? null) === null) return
    await this.#claimed(store.puttingScope(now, now.tried_at ?? 0))
  }

  /** The organization is no longer to be read: what was found leaves the store, as it has left the catalog. */
  async #forget(): Promise<void> {
    const { store } = this.#deps
    const none = { added: [], changed: [], missing: [] }
    const known = (await store.all()).filter(({ scope }) => scope === organizationScope)
    for (const { gone } of partsOf({ ...none, gone: known })) await this.#write({ ...none, gone })
    await this.#claimed(store.removingScope(organizationScope))
    this.#triedAt = 0
    this.#goodAt = null
  }

  /** Nothing is written by a daemon that no longer leads. */
  async #claimed(write: CompiledQuery): Promise<void> {
    await this.#deps.transact([this.#deps.leader.claim()], ([found = []]) => (found.length > 0 ? [write] : []))
  }
}

type ScopeLike = Omit<ScopeRow, 'requested_at'> & Partial<Pick<ScopeRow, 'requested_at'>>

const emptyScope = { scope: organizationScope, organization: null, good_at: null } as const

/** Another daemon leads. */
function isOver(error: unknown): boolean {
  return error instanceof BrokerError && (error.code === 'NOT_LEADER' || error.code === 'STALE')
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
