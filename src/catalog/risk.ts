import type { Place } from './place.ts'

export const riskSeverities = ['low', 'medium', 'high'] as const
export type RiskSeverity = (typeof riskSeverities)[number]

/** Something about a resource as AWS has it that makes access to it wider, longer or less visible than it should be. */
export interface RiskFact {
  /** Of one meaning for all time, e.g. `admin-policy`; lower case, with hyphens. */
  readonly code: string
  readonly severity: RiskSeverity
  /** What was seen, for people; no value of it changes while nothing changes in AWS. */
  readonly reason: string
  /** What to do about it. */
  readonly fix?: string
}

/** How many facts of each severity. */
export type RiskCounts = Readonly<Record<RiskSeverity, number>>

export const noRisk: RiskCounts = { low: 0, medium: 0, high: 0 }

interface Placed {
  readonly risk?: readonly RiskFact[]
  readonly account: string | null
  readonly place?: Place
}

/**
 * The sums for accounts and units over all that is beneath them, by the id of the account (`111122223333`) or unit (`ou-…`). An entry
 * counts for its account and for the units above that; those of nothing are left out. Pure; looks at each entry once.
 */
export function sumRisk(entries: Iterable<Placed>): ReadonlyMap<string, RiskCounts> {
  const sums = new Map<string, Record<RiskSeverity, number>>()
  for (const { risk = [], account, place } of entries) {
    if (risk.length === 0) continue
    for (const id of [...(account === null ? [] : [account]), ...(place?.units ?? [])]) {
      const sum = sums.get(id) ?? { ...noRisk }
      for (const { severity } of risk) sum[severity] += 1
      sums.set(id, sum)
    }
  }
  return sums
}
