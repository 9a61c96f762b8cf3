import { Type } from 'typebox'
import { formatDuration } from '../../proxy/duration.ts'
import type { SessionBudget } from '../../proxy/session.ts'
import type { MeaningLine } from '../catalog/kind.ts'
import { parseSize } from '../config/units.ts'

/** A week. */
const longestMinutes = 10_080

/** Members of levels that bound one session, of every kind whose bytes the broker carries. */
export const budgetMembers = {
  max_session_bytes: Type.Optional(
    Type.String({
      pattern: '^[1-9][0-9]{0,5}(KB|MB|GB)$',
      patternErrorMessage: 'expected a size such as 500KB, 100MB or 1GB',
      description: 'Budget of one session: it is ended when more bytes have passed, in both directions together',
      examples: ['1GB'],
    }),
  ),
  max_session_minutes: Type.Optional(
    Type.Integer({
      minimum: 1,
      maximum: longestMinutes,
      errorMessage: `expected a whole number of minutes, 1–${longestMinutes}`,
      description: 'Budget of one session: it is ended after so many minutes, even if the grant lasts longer',
      examples: [60],
    }),
  ),
}

export interface BudgetFile {
  readonly max_session_bytes?: string
  readonly max_session_minutes?: number
}

/** @returns null: none */
export function readBudget(raw: BudgetFile, rows = 0): SessionBudget | null {
  const { max_session_bytes: size = '', max_session_minutes: minutes = 0 } = raw
  const bytes = parseSize(size) ?? 0
  return rows + bytes + minutes === 0 ? null : { rows, bytes, ms: minutes * 60_000 }
}

/** What a budget means to whom it bounds. @param budget null: none */
export function budgetMeans(budget: SessionBudget | null): MeaningLine[] {
  if (!budget) return []
  const { rows, bytes, ms } = budget
  const bounds = [
    ...(ms === 0 ? [] : [formatDuration(ms)]),
    ...(bytes === 0 ? [] : [`${numberText(bytes)} bytes`]),
    ...(rows === 0 ? [] : [`${numberText(rows)} rows`]),
  ]
  return [{ label: 'one session', value: `${bounds.join(', ')} at most` }]
}

/** `100,000` */
export function numberText(count: number): string {
  return count.toLocaleString('en-US')
}
