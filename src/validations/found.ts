import { BrokerError } from '../../proxy/session.ts'
import type { JudgedPermission } from '../aws/permissions/judge.ts'
import type { TargetCheck } from '../contract/aws.ts'
import type { Found } from './validation-store.ts'

type Plain = Pick<Found, 'check' | 'about' | 'why' | 'severity' | 'status' | 'detail'> & {
  readonly fix?: string | null
}

/** A check that is no permission. */
export function plain({ fix = null, ...found }: Plain): Found {
  return { ...found, fix, simulated: null, called: null }
}

export function ofPermission({ permission, ...judged }: JudgedPermission): Found {
  const { action, reason, severity } = permission
  return { check: action, about: 'permission', why: reason, severity, ...judged }
}

const outcomes = { ok: 'ok', warn: 'warning', fail: 'failed' } as const

/** @param prefix before the name of the check */
export function ofTarget({ check, outcome, detail, fix }: TargetCheck, why: string, prefix = ''): Found {
  const severity = outcome === 'fail' ? 'high' : 'medium'
  return plain({ check: `${prefix}${check}`, about: 'target', why, severity, status: outcomes[outcome], detail, fix })
}

/** @throws what is no error of the broker's */
export function ofError(found: Omit<Plain, 'status' | 'detail' | 'fix'>, error: unknown): Found {
  if (!(error instanceof BrokerError)) throw error
  return plain({ ...found, status: 'failed', detail: error.message, fix: error.hint ?? "see the daemon's log" })
}

/** One permission for all statements that name it: the one that failed. Names are unique then. */
export function unique(all: readonly Found[]): Found[] {
  const rank = { failed: 0, unknown: 1, warning: 2, ok: 3 } as const
  const byName = new Map<string, Found>()
  for (const one of all) {
    const before = byName.get(one.check)
    if (before === undefined || rank[one.status] < rank[before.status]) byName.set(one.check, one)
  }
  return [...byName.values()]
}
