import type { OnboardedAccount } from '../contract/aws.ts'
import { type KnownAccount, membership, spokeCheck } from './account-checks.ts'
import type { ValidationRow, ValidationSubjectRow } from './validation-tables.ts'

type Known = Omit<KnownAccount, 'wasGood'>

/**
 * Whether each account lets the broker in, by what the last runs found. One without a spoke role that never had one is not onboarded,
 * which is no fault.
 * @param checks the membership and the spoke role of each, as far as they were looked at
 */
export function accountStates(
  accounts: readonly Known[],
  subjects: readonly ValidationSubjectRow[],
  checks: readonly ValidationRow[],
): OnboardedAccount[] {
  const ranAt = new Map(subjects.map(({ subject, ran_at }) => [subject, ran_at]))
  const byKey = new Map(checks.map((row) => [`${row.subject} ${row.name}`, row]))
  return accounts.map((known) => {
    const subject = `account/${known.id}`
    const checkedAt = ranAt.get(subject) ?? null
    const found = { spoke: byKey.get(`${subject} ${spokeCheck}`), member: byKey.get(`${subject} ${membership}`) }
    return { ...placeOf(known), ...stateOf(known, checkedAt, found), checkedAt }
  })
}

function placeOf({ id: account, isWritten, needsPerson, organization }: Known) {
  const { id = null, state = null, title = null, unit = null, path = null } = organization ?? {}
  const trust = needsPerson ? ('web_identity' as const) : ('hub' as const)
  return { account, isWritten, trust, title, unit, path, organization: state === null ? null : id }
}

type Row = ValidationRow | undefined

function stateOf(
  { id, organization, needsPerson }: Known,
  checkedAt: number | null,
  { spoke, member }: { readonly spoke: Row; readonly member: Row },
): Pick<OnboardedAccount, 'state' | 'reason' | 'fix'> {
  const state = organization?.state ?? null
  if (state !== null && state !== 'ACTIVE') return { state: 'suspended', reason: `the account is ${state}`, fix: null }
  if (member?.status === 'failed') return { state: 'denied', reason: member.detail, fix: member.fix }
  if (checkedAt === null) return { state: 'unchecked', reason: null, fix: `run: sallyport aws validate ${id}` }
  // An account that takes ID tokens alone has no spoke role: its roles are looked at one by one.
  if (needsPerson || spoke?.status === 'ok') return { state: 'onboarded', reason: null, fix: null }
  if (spoke?.status === 'failed') return { state: 'denied', reason: spoke.detail, fix: spoke.fix }
  return { state: 'not-onboarded', reason: spoke?.detail ?? null, fix: spoke?.fix ?? 'run: sallyport aws onboard' }
}
