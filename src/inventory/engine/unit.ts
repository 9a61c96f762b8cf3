import { createHash } from 'node:crypto'
import type { Discovery, Place } from '../discovery.ts'

/** How the last reading of a unit ended. `disabled`: the region is off. `not-onboarded`: the broker has no role in the account. */
export type Outcome = 'ok' | 'denied' | 'disabled' | 'not-onboarded' | 'throttled' | 'error'

/** What is known of one unit's readings; times in epoch milliseconds. */
export interface UnitRecord {
  /** Null: it was never read. */
  readonly outcome: Outcome | null
  readonly triedAt: number | null
  /** The first and the last reading that saw all of it. */
  readonly firstGoodAt: number | null
  readonly goodAt: number | null
  /** Good readings in a row that found nothing; counted up to two. */
  readonly empty: number
  /** Readings in a row that counted for nothing. */
  readonly failures: number
  readonly error: string | null
  readonly fix: string | null
}

export const neverRead: UnitRecord = {
  outcome: null,
  triedAt: null,
  firstGoodAt: null,
  goodAt: null,
  empty: 0,
  failures: 0,
  error: null,
  fix: null,
}

/** What is read at once: a discovery in one place. */
export interface Unit {
  /** Scope of what it finds: `rds/111122223333/eu-west-1`. */
  readonly name: string
  readonly discovery: Discovery
  readonly place: Place
  record: UnitRecord
}

export function unitName({ name, per }: Pick<Discovery, 'name' | 'per'>, { account, region }: Place): string {
  if (per === 'organization') return name
  return [name, account, ...(region === null ? [] : [region])].join('/')
}

/** What a unit was read with. */
export type Reading =
  | { readonly outcome: 'ok'; readonly found: number }
  | { readonly outcome: Exclude<Outcome, 'ok'>; readonly error: string; readonly fix: string }

/** @param at when the reading began */
export function recordAfter(before: UnitRecord, reading: Reading, at: number): UnitRecord {
  if (reading.outcome !== 'ok') {
    const { outcome, error, fix } = reading
    const failures = before.outcome === outcome ? before.failures + 1 : 1
    return { ...before, outcome, error, fix, failures, triedAt: at }
  }
  return {
    outcome: 'ok',
    triedAt: at,
    firstGoodAt: before.firstGoodAt ?? at,
    goodAt: at,
    empty: reading.found > 0 ? 0 : Math.min(enoughEmpty, before.empty + 1),
    failures: 0,
    error: null,
    fix: null,
  }
}

const day = 86_400_000
const minute = 60_000
/** Found empty so often in a row, a unit is read once a day only. */
const enoughEmpty = 2

export function isQuiet({ outcome, empty }: UnitRecord): boolean {
  return outcome === 'ok' && empty >= enoughEmpty
}

/**
 * When a unit is to be read again. Each unit has a moment of its own within the interval, so that what was read at once is spread over it:
 * after a reading it comes half an interval later at the soonest, and one and a half at the latest.
 * @param everyMs `inventory.every`
 */
export function dueAt({ name, discovery: { per }, record }: Unit, everyMs: number): number {
  const { outcome, triedAt, failures } = record
  if (outcome === null || triedAt === null) return 0
  if (per === 'organization') return triedAt + (outcome === 'throttled' ? retryMs(failures, everyMs) : everyMs)
  if (isQuiet(record)) return nextMoment(name, triedAt, Math.max(day, everyMs))
  if (outcome === 'ok') return nextMoment(name, triedAt, everyMs)
  if (outcome === 'throttled' || outcome === 'error') return triedAt + retryMs(failures, everyMs)
  return nextMoment(name, triedAt, Math.max(everyMs, Math.min(day, everyMs * 4 ** failures)))
}

/** What may be over at once is tried sooner, but not in step with all others that failed. */
function retryMs(failures: number, everyMs: number): number {
  return Math.min(everyMs, minute * 2 ** Math.min(failures - 1, 10))
}

/** @returns the unit's own moment in the interval that begins half of it after `from` */
function nextMoment(name: string, from: number, intervalMs: number): number {
  const soonest = from + Math.ceil(intervalMs / 2)
  const own = Math.floor(fraction(name) * intervalMs)
  return soonest + ((((own - soonest) % intervalMs) + intervalMs) % intervalMs)
}

/** Of a text always the same, of all texts evenly spread; 0 to below 1. */
export function fraction(text: string): number {
  return createHash('sha256').update(text).digest().readUInt32BE() / 2 ** 32
}
