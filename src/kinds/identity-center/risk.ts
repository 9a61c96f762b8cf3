import { formatDuration } from '../../../proxy/duration.ts'
import type { GroupSeen, PermissionSetSeen } from '../../aws/identity-center/picture.ts'
import type { RiskFact } from '../../catalog/risk.ts'

/** AWS's own policies that make their holder an administrator: the second by writing policies for itself. */
const adminPolicies = ['AdministratorAccess', 'IAMFullAccess']
/** Sessions longer than this outlive a working half-day, and whatever is taken away within it. */
const longSessionMs = 4 * 3_600_000

/** What a permission set gives to who has it, in every account that has its role. */
export function permissionSetRisk({ sessionMs, details: { policies } }: PermissionSetSeen): RiskFact[] {
  const admin = policies.managed.map(nameOf).filter((name) => adminPolicies.includes(name))
  const all = [...admin, ...(allowsEverything(policies.inline) ? ['its inline policy'] : [])]
  const isLong = sessionMs !== null && sessionMs > longSessionMs
  return [...(all.length === 0 ? [] : [adminPolicy(all)]), ...(isLong ? [longSession(sessionMs, all.length > 0)] : [])]
}

/** Who is in a group has what it gives at all times. */
export function groupRisk({ members, isExternal }: GroupSeen, assignments: number): RiskFact[] {
  if (members.length === 0) return []
  const people = members.length === 1 ? 'one person is' : `${members.length} people are`
  const what =
    assignments === 0 ? 'it has no permission set' : `it has permission sets in accounts, ${assignments} in all`
  return [
    {
      code: 'standing-members',
      severity: assignments === 0 ? 'low' : 'medium',
      reason: `${people} in the group at all times; ${what}`,
      fix: `take them out of the group${isExternal ? ' at the provider that keeps it' : ''}, and let them ask for what they need`,
    },
  ]
}

function adminPolicy(policies: readonly string[]): RiskFact {
  return {
    code: 'admin-policy',
    severity: 'high',
    reason: `makes its holder an administrator of the account: ${policies.join(', ')}`,
    fix: 'give the permission set what its work needs, and keep another one for emergencies',
  }
}

function longSession(sessionMs: number, isAdmin: boolean): RiskFact {
  return {
    code: 'long-session',
    severity: isAdmin ? 'high' : 'medium',
    reason: `sessions last ${formatDuration(sessionMs)}, also when access is taken away meanwhile`,
    fix: `set its session duration to at most ${formatDuration(longSessionMs)} in Identity Center`,
  }
}

/** Any action on anything, without a condition. A policy that cannot be read is none of these. */
function allowsEverything(inline: string | null): boolean {
  if (inline === null) return false
  try {
    const { Statement: statements = [] } = Object(JSON.parse(inline)) as { Statement?: unknown }
    return [statements].flat().some((statement) => {
      const { Effect, Action, Resource, Condition } = Object(statement) as Readonly<Record<string, unknown>>
      return Effect === 'Allow' && hasAll(Action) && hasAll(Resource) && Condition === undefined
    })
  } catch {
    return false
  }
}

function hasAll(value: unknown): boolean {
  return [value].flat().some((one) => one === '*' || one === '*:*')
}

function nameOf(arn: string): string {
  return arn.slice(arn.lastIndexOf('/') + 1)
}
