import { BrokerError } from '../../../proxy/session.ts'
import type { Config } from '../../config/config.ts'
import type { Clock } from '../../telemetry/clock.ts'
import type { Logger } from '../../telemetry/logger.ts'
import type { Metrics } from '../../telemetry/metrics.ts'
import type { ReadingProgress } from '../discovery.ts'
import type { Estate } from './estate.ts'
import type { OrganizationUnits } from './organization-units.ts'
import { failedReading, isOver } from './outcome.ts'
import { checkFound, type Results } from './results.ts'
import type { Schedule, Work } from './schedule.ts'
import { type Reading, recordAfter, type UnitRecord } from './unit.ts'

export interface ReaderDeps {
  readonly clock: Clock
  readonly logger: Pick<Logger, 'info' | 'warn'>
  readonly metrics: Pick<Metrics, 'inventoryFailuresTotal'>
  readonly schedule: Schedule
  readonly estate: Estate
  readonly organization: OrganizationUnits
  readonly results: Results
  /** Aborted when this daemon stops, or another one leads. */
  readonly signal: AbortSignal
  /** In force now. */
  settings(): Config['inventory']
}

/** What AWS did not find once is looked at again, since it may not know yet what was just made. */
export const confirmAfterMs = 30_000
/** Of one reading; that of an organization may wait for its pace for long. */
const longestMs = { organization: 7_200_000, account: 600_000, region: 600_000 } as const

/** Makes readings: of each, what it found is written, and how it went is kept. */
export class Reader {
  readonly #deps: ReaderDeps
  readonly #progress = new Map<string, ReadingProgress>()

  constructor(deps: ReaderDeps) {
    this.#deps = deps
  }

  /** Of a unit that is read now. */
  progressOf(name: string): ReadingProgress | undefined {
    return this.#progress.get(name)
  }

  /** Never throws what the reading threw: that is how it went. @throws where it is over here, or the store fails */
  async read(work: Work): Promise<void> {
    const { clock, schedule, signal } = this.#deps
    const { unit, waiters } = work
    const startedAt = clock.now()
    const deadline = AbortSignal.any([signal, AbortSignal.timeout(longestMs[unit.discovery.per])])
    try {
      const record = work.resources
        ? await this.#readSome(work, work.resources, deadline)
        : await this.#readAll(work, startedAt, deadline)
      if (schedule.done(work, record)) for (const waiter of waiters) waiter.resolve()
      else for (const waiter of waiters) waiter.reject(new BrokerError('NOT_LEADER'))
    } catch (error) {
      await this.#failed(work, startedAt, error)
    } finally {
      this.#progress.delete(unit.name)
    }
  }

  async #readAll({ unit, askedAt, waiters }: Work, startedAt: number, signal: AbortSignal): Promise<UnitRecord> {
    const { organization, estate, results, logger, settings } = this.#deps
    const { discovery, place, name, record: before } = unit
    const onProgress = (progress: ReadingProgress) => void this.#progress.set(name, progress)
    const found = await discovery.read(place, {
      ...{ signal, onProgress, settings: settings() },
      isAsked: askedAt !== null || waiters.length > 0,
    })
    signal.throwIfAborted()
    if (discovery.per === 'organization') organization.check(unit, found)
    else checkFound(found, place, discovery.per)
    const counts = await results.apply(name, found)
    if (Object.values(counts).some((count) => count > 0))
      logger.info({ ...counts, scope: name }, 'the inventory has changed')
    const after = recordAfter(before, { outcome: 'ok', found: found.length }, startedAt)
    if (discovery.per === 'organization') await organization.note(unit, after, found)
    else estate.note(unit, before, after)
    return after
  }

  /** Resources by themselves say nothing of their unit. */
  async #readSome({ unit }: Work, resources: readonly string[], signal: AbortSignal): Promise<UnitRecord> {
    const { clock, results, schedule, settings } = this.#deps
    const { discovery, place, name, record } = unit
    for (const id of resources) {
      const found = (await discovery.readOne?.(place, id, { signal, settings: settings() })) ?? null
      signal.throwIfAborted()
      if (found && discovery.per !== 'organization') checkFound([found], place, discovery.per)
      const counts = await results.applyOne(name, id, found?.id === id ? found : null)
      if (counts.missing > 0) schedule.lookAgain(name, clock.now() + confirmAfterMs)
    }
    return record
  }

  async #failed(work: Work, startedAt: number, error: unknown): Promise<void> {
    const { estate, organization, logger, metrics, schedule, signal } = this.#deps
    const { unit, waiters } = work
    const { name, discovery, record: before } = unit
    for (const waiter of waiters) waiter.reject(error)
    if (signal.aborted || isOver(error)) {
      schedule.done(work, before)
      if (isOver(error)) throw error
      return // the daemon that leads now does it
    }
    const reading: Reading = failedReading(error)
    const isNews = before.outcome !== reading.outcome
    const after = work.resources ? before : recordAfter(before, reading, startedAt)
    const isState = reading.outcome === 'not-onboarded' || reading.outcome === 'disabled'
    if (!isState) metrics.inventoryFailuresTotal.inc({ scope: discovery.name })
    if (isNews && !isState)
      logger.warn({ err: error, scope: name }, 'a part of AWS could not be read; what is known of it stays')
    try {
      if (work.resources) return
      if (discovery.per === 'organization') await organization.note(unit, after, null)
      else estate.note(unit, before, after)
    } finally {
      schedule.done(work, after)
    }
  }
}
