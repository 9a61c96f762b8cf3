import { BrokerError } from '../../proxy/session.ts'
import type { TargetCheck } from '../contract/aws.ts'

export function ok(check: string, detail: string): TargetCheck {
  return { check, outcome: 'ok', detail, fix: null }
}

export function warn(check: string, detail: string, fix: string): TargetCheck {
  return { check, outcome: 'warn', detail, fix }
}

export function fail(check: string, detail: string, fix: string): TargetCheck {
  return { check, outcome: 'fail', detail, fix }
}

/** What failed on the way to the target's answer, with the advice that the error brings. */
export function failedAt(check: string, error: unknown, fix: string): TargetCheck {
  if (!(error instanceof BrokerError)) throw error
  return fail(check, error.message, error.hint ?? fix)
}

const mostNamed = 3

/** Some of many names: `a, b, c and 4 more`. */
export function someOf(names: readonly string[]): string {
  const more = names.length - mostNamed
  return more > 0 ? `${names.slice(0, mostNamed).join(', ')} and ${more} more` : names.join(', ')
}
