import { BrokerError } from '../../proxy/session.ts'
import type { Config } from '../config/config.ts'
import type { Leadership } from '../daemons/leadership.ts'
import type { Clock } from '../telemetry/clock.ts'
import type { Logger } from '../telemetry/logger.ts'
import type { Metrics } from '../telemetry/metrics.ts'
import type { Discovery, Place, ReadingProgress } from './discovery.ts'
import type { AccountStore } from './engine/account-store.ts'
import { regionsName } from './engine/account-units.ts'
import { Estate, type EstateAccount } from './engine/estate.ts'
import { OrganizationUnits } from './engine/organization-units.ts'
import { isOver, NotOnboarded } from './engine/outcome.ts'
import { confirmAfterMs, Reader } from './engine/reader.ts'
import { Results, type ResultsDeps } from './engine/results.ts'
import { Schedule } from './engine/schedule.ts'
import { type Unit, unitName } from './engine/unit.ts'
import type { InventoryStore } from './inventory-store.ts'

export interface SyncDeps extends ResultsDeps {
  readonly store: ResultsDeps['store'] &
    Pick<InventoryStore, 'scopeNames' | 'scopes' | 'puttingScope' | 'removingScope'>
  readonly accountStore: AccountStore
  readonly leader: Leadership
  readonly clock: Clock
  readonly logger: Pick<Logger, 'info' | 'warn'>
  readonly metrics: Pick<Metrics, 'inventoryFailuresTotal'>
  readonly discoveries: readonly Discovery[]
  /** Where the organization is read. */
  readonly hub: Place
  /** Empty: all that are on. */
  readonly regionsInUse: readonly string[]
  /** Accounts that the catalog and the configuration know. */
  accounts(): readonly EstateAccount[]
  /** @throws BrokerError AWS_DENIED: the broker has no role in the account; AWS_UNAVAILABLE */
  enter(place: Place, signal: AbortSignal): Promise<void>
  /** Those that are on. @throws BrokerError AWS_DENIED, AWS_UNAVAILABLE */
  regions(place: Place, signal: AbortSignal): Promise<readonly string[]>
}

export type InventorySettings = Config['inventory']

/** Something that may have changed in AWS: never a fact, only a reason to look. */
export interface Hint {
  readonly discovery: string
  readonly account: string | null
  readonly region: string | null
  /** Left out: anything of the unit. */
  readonly resourceId?: string
}

/** Readings under way at the same time. */
const mostAtOnce = 64
const prepareEveryMs = 2000
const flushEveryMs = 10_000

/** All that is known while this daemon leads. */
interface Run {
  readonly schedule: Schedule
  readonly estate: Estate
  readonly organization: OrganizationUnits
  readonly reader: Reader
  readonly stop: AbortController
  running: number
  preparedAt: number
  flushedAt: number
  /** The accounts and discoveries that the schedule was made of. */
  basis: string
  /** Accounts that are no longer known, with since when. */
  readonly absent: Map<string, number>
  /** What ended it. */
  error: unknown
}

/** Reads AWS into the inventory, unit by unit, on the daemon that leads. */
export class Sync {
  readonly #deps: SyncDeps
  readonly #results: Results
  #settings: InventorySettings
  #run: Run | undefined
  #woken = Promise.withResolvers<void>()

  constructor(deps: SyncDeps, settings: InventorySettings) {
    this.#deps = deps
    this.#results = new Results(deps)
    this.#settings = settings
  }

  get settings(): InventorySettings {
    return this.#settings
  }

  /** After a reload; takes effect with the next {@link run}. */
  use(settings: InventorySettings): void {
    this.#settings = settings
  }

  /** What is to be read. */
  get discoveries(): readonly Discovery[] {
    const settings = this.#settings
    return this.#deps.discoveries.filter(({ isOn }) => (isOn ? isOn(settings) : settings.import !== null))
  }

  /** Accounts that are to be read. */
  get accounts(): readonly string[] {
    if (this.discoveries.every(({ per }) => per === 'organization')) return []
    return this.#deps.accounts().flatMap(({ account, isActive }) => (isActive ? [account] : []))
  }

  /** As this daemon knows them while it leads; undefined: it does not. */
  get units(): readonly Unit[] | undefined {
    return this.#run?.schedule.units
  }

  /** Of a unit that is read here now; null: it is not. */
  progressOf(name: string): ReadingProgress | null {
    const run = this.#run
    if (!run?.schedule.isRunning(name)) return null
    return run.reader.progressOf(name) ?? { phase: 'reading', done: 0 }
  }

  /** For a chore of each daemon: what another one does from now on is over here. */
  tick(): void {
    if (!this.#deps.leader.isLeader) this.#end()
    this.#wake()
  }

  /**
   * Reads again what may have changed. Hints of one thing join.
   * @returns `read` once it was, and what changed is in the store; `unknown`: nothing of the kind is read
   * @throws BrokerError NOT_LEADER; what the reading threw
   */
  async hint({ discovery: name, account, region, resourceId }: Hint): Promise<'read' | 'unknown'> {
    const { leader, discoveries, hub } = this.#deps
    leader.check()
    const run = this.#run
    if (!run) throw new BrokerError('NOT_LEADER', 'nothing is read here yet')
    const discovery = discoveries.find((one) => one.name === name)
    if (!discovery) return 'unknown'
    const unit = unitName(discovery, { partition: hub.partition, account: account ?? '', region })
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    if (!run.schedule.mark(unit, resourceId, { resolve, reject })) return 'unknown'
    this.#wake()
    await promise
    return 'read'
  }

  /** Reads all that is due or was asked for. For the chore of the daemon that leads. Resolves when nothing is left to do now. */
  async run(signal: AbortSignal): Promise<void> {
    this.#run ??= await this.#begin()
    const run = this.#run
    const onAbort = () => this.#end(run)
    signal.addEventListener('abort', onAbort, { once: true })
    if (signal.aborted) onAbort()
    try {
      for (;;) {
        const woken = this.#woken.promise // before anything is looked at, so that nothing is missed
        if (!run.stop.signal.aborted) await this.#step(run)
        if (run.running === 0) break
        await woken
      }
    } catch (error) {
      this.#end(run, error)
      while (run.running > 0) await this.#woken.promise
    } finally {
      signal.removeEventListener('abort', onAbort)
    }
    if (run.error !== undefined && !isOver(run.error)) throw run.error
  }

  async #begin(): Promise<Run> {
    const { accountStore, clock, hub: place, store, regionsInUse } = this.#deps
    const results = this.#results
    const schedule = new Schedule(this.#settings.everyMs)
    const stop = new AbortController()
    const regions: Discovery = {
      name: regionsName,
      per: 'account',
      service: 'ec2',
      read: async (at, { signal }) => {
        const on = await this.#readRegions(at, signal)
        signal.throwIfAborted()
        const { off, isNew } = estate.useRegions(at.account, on)
        for (const name of off) {
          await results.forget(name, 'region-off')
          estate.forgetUnit(at.account, name)
        }
        if (isNew) schedule.lookAgain(unitName(regions, at), clock.now() + confirmAfterMs)
        return []
      },
    }
    const saved = await accountStore.all()
    const estate = new Estate({ schedule, store: accountStore, regions, regionsInUse }, saved)
    const organization = new OrganizationUnits({ schedule, store, results, place })
    const reader = new Reader({
      ...this.#deps,
      schedule,
      estate,
      organization,
      results,
      signal: stop.signal,
      settings: () => this.#settings,
    })
    return {
      ...{ schedule, estate, organization, reader, stop },
      running: 0,
      preparedAt: Number.NEGATIVE_INFINITY,
      flushedAt: clock.now(),
      basis: '',
      absent: new Map(),
      error: undefined,
    }
  }

  async #readRegions(place: Place, signal: AbortSignal): Promise<readonly string[]> {
    const { enter, regions } = this.#deps
    await enter(place, signal).catch((error: unknown) => {
      const isRefused = error instanceof BrokerError && error.code === 'AWS_DENIED'
      throw isRefused ? new NotOnboarded(place.account, error) : error
    })
    return await regions(place, signal)
  }

  #end(run = this.#run, error?: unknown): void {
    if (!run) return
    if (this.#run === run) this.#run = undefined
    run.error ??= error
    run.stop.abort()
    for (const { name } of run.schedule.units) run.schedule.remove(name, new BrokerError('NOT_LEADER'))
    this.#wake()
  }

  #wake(): void {
    this.#woken.resolve()
    this.#woken = Promise.withResolvers()
  }

  async #step(run: Run): Promise<void> {
    await this.#prepare(run)
    this.#dispatch(run)
    await this.#flush(run)
  }

  /** What is to be read follows from the settings and the accounts; what people ask for comes through the store. */
  async #prepare(run: Run): Promise<void> {
    const { accounts, accountStore, clock, leader } = this.#deps
    const now = clock.now()
    if (run.preparedAt <= now && now - run.preparedAt < prepareEveryMs && run.running > 0) return
    run.preparedAt = now
    leader.check()
    run.schedule.useInterval(this.#settings.everyMs)
    const { discoveries } = this
    await run.organization.use(discoveries.filter(({ per }) => per === 'organization'))
    const known = accounts()
    const basis = JSON.stringify([discoveries.map(({ name }) => name), known])
    if (basis !== run.basis) {
      const inAccounts = discoveries.filter(({ per }) => per !== 'organization')
      const absent = run.estate.use(known, inAccounts)
      for (const account of run.absent.keys()) if (!absent.includes(account)) run.absent.delete(account)
      for (const account of absent) if (!run.absent.has(account)) run.absent.set(account, now)
      await this.#forgetOthers(run, discoveries)
      run.basis = basis
    }
    await this.#forgetAbsent(run)
    const requested = await accountStore.requested()
    for (const [account, at] of requested) run.estate.ask(account, at, now)
    const idle = [...requested.keys()].filter((account) => run.estate.unitsOf(account).length === 0)
    if (idle.length > 0) await this.#results.claimed([accountStore.clearing(idle)])
  }

  #dispatch(run: Run): void {
    const { clock, leader } = this.#deps
    while (run.running < mostAtOnce) {
      const work = run.schedule.next(clock.now())
      if (!work) return
      leader.check()
      run.running += 1
      run.reader
        .read(work)
        .catch((error: unknown) => this.#end(run, error))
        .finally(() => {
          run.running -= 1
          this.#wake()
        })
    }
  }

  /** How readings went, for the next daemon that leads: soon where it is news, else once an hour. */
  async #flush(run: Run): Promise<void> {
    const now = this.#deps.clock.now()
    const isLate = Math.abs(now - run.flushedAt) >= flushEveryMs
    if (run.running > 0 && !isLate) return
    for (;;) {
      const { writes, written } = run.estate.due(now, isLate || run.running === 0)
      if (writes.length === 0) break
      await this.#results.claimed(writes)
      written()
    }
    run.flushedAt = now
  }

  /** What was found by something that is not read any more leaves the inventory. */
  async #forgetOthers(run: Run, discoveries: readonly Discovery[]): Promise<void> {
    const isRead = new Set(discoveries.map(({ name }) => name))
    const { regionsInUse, store } = this.#deps
    for (const scope of await store.scopeNames()) {
      const [name = '', , region] = scope.split('/')
      const isUsed = region === undefined || regionsInUse.length === 0 || regionsInUse.includes(region)
      if (!isRead.has(name) || !isUsed) await this.#results.forget(scope)
    }
    if (discoveries.every(({ per }) => per === 'organization'))
      await this.#results.claimed(run.estate.accounts.map((account) => run.estate.forget(account)))
  }

  /** What was found in an account that is gone: where the organization is read, once it has been read again without it. */
  async #forgetAbsent(run: Run): Promise<void> {
    const organization = run.schedule.unit('organization')
    for (const [account, since] of run.absent) {
      if (organization && (organization.record.goodAt ?? 0) <= since) continue
      for (const scope of await this.#deps.store.scopeNames())
        if (scope.split('/')[1] === account) await this.#results.forget(scope, 'account-gone')
      await this.#results.claimed([run.estate.forget(account)])
      run.absent.delete(account)
    }
  }
}
