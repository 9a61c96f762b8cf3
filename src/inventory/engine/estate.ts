import type { CompiledQuery } from 'kysely'
import { BrokerError } from '../../../proxy/session.ts'
import type { Discovery, Place } from '../discovery.ts'
import type { AccountRecord, AccountStore } from './account-store.ts'
import { type UnitPlace, unitsIn } from './account-units.ts'
import type { Schedule } from './schedule.ts'
import { neverRead, type Unit, type UnitRecord, unitName } from './unit.ts'

/** An account that may be read. */
export interface EstateAccount {
  readonly partition: string
  readonly account: string
  /** False: AWS lets nobody in, and what is known of it stays. */
  readonly isActive: boolean
}

interface State {
  readonly partition: string
  readonly account: string
  regions: readonly string[] | null
  /** Of units that the schedule has not, too. */
  readonly saved: Map<string, UnitRecord>
  writtenAt: number
  requestedAt: number | null
  /** Something that the next leader should know soon. */
  isNews: boolean
  /** Some unit was read since it was written. */
  isRead: boolean
  /** Regions with known units that the last list of regions did not have. */
  missingOnce: ReadonlySet<string>
}

function wholeOf({ partition, account }: State): Place {
  return { partition, account, region: null }
}

/** Of a unit that is read by regions. */
function regionOf(name: string): string | undefined {
  return name.split('/')[2]
}

const hour = 3_600_000
/** Rows of one transaction. */
const rowsAtOnce = 50
const removed = () => new BrokerError('AWS_UNAVAILABLE', 'it is not read any more')

/** The units of all accounts, with what is kept of them in one row for each account. */
export class Estate {
  readonly #schedule: Schedule
  readonly #store: AccountStore
  readonly #states = new Map<string, State>()
  readonly #saved: Map<string, AccountRecord>
  readonly #regionsDiscovery: Discovery
  #discoveries: readonly Discovery[] = []
  /** Regions in use; empty: all that are on. */
  readonly #regionsInUse: readonly string[]

  constructor(
    deps: { schedule: Schedule; store: AccountStore; regions: Discovery; regionsInUse: readonly string[] },
    saved: readonly AccountRecord[],
  ) {
    this.#schedule = deps.schedule
    this.#store = deps.store
    this.#regionsDiscovery = deps.regions
    this.#regionsInUse = deps.regionsInUse
    this.#saved = new Map(saved.map((one) => [one.account, one]))
  }

  /** The accounts and what is to be read in them. @returns accounts that are no longer among them */
  use(accounts: readonly EstateAccount[], discoveries: readonly Discovery[]): string[] {
    this.#discoveries = discoveries
    const active = new Set<string>()
    for (const { account, partition, isActive } of accounts) {
      if (!isActive || discoveries.length === 0) continue
      active.add(account)
      if (!this.#states.has(account)) this.#states.set(account, this.#open(account, partition))
    }
    for (const state of this.#states.values()) {
      if (active.has(state.account)) this.#addUnits(state)
      else this.#removeUnits(state, () => true)
    }
    const known = new Set(accounts.map(({ account }) => account))
    return this.accounts.filter((account) => !known.has(account))
  }

  /** Units of an account, for a request. */
  unitsOf(account: string): Unit[] {
    const state = this.#states.get(account)
    return state ? this.#namesOf(state).flatMap(({ name }) => this.#schedule.unit(name) ?? []) : []
  }

  /** Those of which a row is kept, too. */
  get accounts(): string[] {
    return [...new Set([...this.#states.keys(), ...this.#saved.keys()])]
  }

  /**
   * The regions of an account were read.
   * @returns units in regions that were on once and are off, by the second list in a row; and whether some were not in this one for the first time
   */
  useRegions(account: string, regions: readonly string[]): { readonly off: string[]; readonly isNew: boolean } {
    const state = this.#states.get(account)
    if (!state) return { off: [], isNew: false }
    state.isNews ||= state.regions?.join() !== regions.join()
    state.regions = regions
    const absent = [...state.saved.keys()].filter((name) => !regions.includes(regionOf(name) ?? regions[0] ?? ''))
    const missing = new Set(absent.map((name) => regionOf(name) ?? ''))
    const off = absent.filter((name) => state.missingOnce.has(regionOf(name) ?? ''))
    const isNew = ![...missing].every((region) => state.missingOnce.has(region))
    state.missingOnce = missing
    return { off, isNew }
  }

  /** What a unit in a region that is off had found is gone. */
  forgetUnit(account: string, name: string): void {
    const state = this.#states.get(account)
    if (state?.saved.delete(name)) state.isNews = true
  }

  /** A unit was read. */
  note({ name, place: { account } }: Unit, before: UnitRecord, after: UnitRecord): void {
    const state = this.#states.get(account)
    if (!state) return
    state.saved.set(name, after)
    state.isRead = true
    state.isNews ||= before.outcome !== after.outcome || before.empty !== after.empty || before.error !== after.error
    const regions = unitName(this.#regionsDiscovery, wholeOf(state))
    if (name === regions) this.#addUnits(state)
    // AWS takes no calls there: whether the region is off is said by the list of regions.
    else if (after.outcome === 'disabled' && before.outcome !== 'disabled') this.#schedule.mark(regions)
  }

  /** A person asked at `at`; the daemon that led then may have read some of it since. */
  ask(account: string, at: number, now: number): void {
    const state = this.#states.get(account)
    if (!state || (state.requestedAt ?? 0) >= at) return
    state.requestedAt = at
    for (const { name, record } of this.unitsOf(account)) {
      const triedAt = record.triedAt ?? 0
      if (triedAt <= at || triedAt > now) this.#schedule.ask(name, at)
    }
  }

  /** Writes of the accounts of which there is news, or whose row is an hour old; at most a few at once. */
  due(now: number, isAll: boolean): { readonly writes: CompiledQuery[]; written(): void } {
    const due: { state: State; doneUntil: number | null }[] = []
    for (const state of this.#states.values()) {
      const isDone = state.requestedAt !== null && !this.#isAsked(state)
      const isOld = state.isRead && now - state.writtenAt >= hour
      if (due.length < rowsAtOnce && (isDone || isOld || (state.isNews && (isAll || this.#isIdle(state)))))
        due.push({ state, doneUntil: isDone ? state.requestedAt : null })
    }
    const writes = due.map(({ state: { account, regions, saved }, doneUntil }) =>
      this.#store.putting({ account, regions, units: saved, writtenAt: now }, doneUntil),
    )
    const marks = due.map(({ state }) => ({ state, requestedAt: state.requestedAt }))
    for (const { state } of marks) Object.assign(state, { isNews: false, isRead: false })
    return {
      writes,
      written: () => {
        for (const [i, { state, requestedAt }] of marks.entries()) {
          state.writtenAt = now
          if (due[i]?.doneUntil !== null && state.requestedAt === requestedAt) state.requestedAt = null
        }
      },
    }
  }

  /** @returns what removes its row */
  forget(account: string): CompiledQuery {
    const state = this.#states.get(account)
    if (state) this.#removeUnits(state, () => true)
    this.#states.delete(account)
    this.#saved.delete(account)
    return this.#store.removing(account)
  }

  #open(account: string, partition: string): State {
    const saved = this.#saved.get(account)
    return {
      ...{ account, partition },
      regions: saved?.regions ?? null,
      saved: new Map(saved?.units),
      writtenAt: saved?.writtenAt ?? 0,
      requestedAt: null,
      isNews: saved === undefined,
      isRead: false,
      missingOnce: new Set(),
    }
  }

  #addUnits(state: State): void {
    const wanted = this.#namesOf(state)
    const names = new Set(wanted.map(({ name }) => name))
    this.#removeUnits(state, (name) => !names.has(name))
    for (const { name, discovery, place } of wanted)
      this.#schedule.add({ name, discovery, place, record: state.saved.get(name) ?? neverRead })
  }

  #removeUnits(state: State, isRemoved: (name: string) => boolean): void {
    for (const name of [...state.saved.keys(), ...this.#namesOf(state, true).map((one) => one.name)])
      if (isRemoved(name)) this.#schedule.remove(name, removed())
  }

  #namesOf(state: State, isAll = false): UnitPlace[] {
    const outcome = isAll ? 'ok' : (state.saved.get(unitName(this.#regionsDiscovery, wholeOf(state)))?.outcome ?? null)
    const all = { regions: this.#regionsDiscovery, others: this.#discoveries }
    return unitsIn(wholeOf(state), outcome, state.regions ?? [], all, this.#regionsInUse)
  }

  #isAsked(state: State): boolean {
    return this.unitsOf(state.account).some(
      ({ name }) => this.#schedule.isAsked(name) || this.#schedule.isRunning(name),
    )
  }

  #isIdle(state: State): boolean {
    return !this.unitsOf(state.account).some(
      ({ name, record }) => record.outcome === null || this.#schedule.isRunning(name),
    )
  }
}
