import { type Caller, policiesOf, principalTags } from './callers.ts'
import { type Access, evaluate } from './evaluate.ts'
import { type Policy, parsePolicy, type Statement } from './policy.ts'
import { accountOf, findRole, type World } from './world.ts'

/** Empty when allowed; else why not, in words for a test's assertion (AWS doesn't tell callers). */
export type Refusal = string

/**
 * May this caller do it? Identity policies, cut by permissions boundary and session policy; one explicit deny anywhere wins.
 * IAM User Guide, "Policy evaluation logic".
 */
export function refusal(world: World, caller: Caller, access: Access): Refusal {
  if (isDeniedByOrganization(world, caller.account, access)) return byOrganization
  const { identity, limits } = policiesOf(world, caller)
  const limited = limitRefusal(limits, access)
  if (limited) return limited
  const verdict = evaluate(identity, access)
  if (verdict === 'deny') return 'an identity policy denies it'
  return verdict === 'allow' ? '' : 'no identity policy allows it'
}

/**
 * The same for an action on a role, which has a trust policy of its own. Another account's caller needs both sides; in the
 * same account a trust policy that names the very principal is enough.
 */
export function roleRefusal(world: World, caller: Caller, roleArn: string, access: Access): Refusal {
  if (isDeniedByOrganization(world, caller.account, access)) return byOrganization
  const role = findRole(world, roleArn)
  if (!role) return 'there is no such role'
  const trust = parsePolicy(role.trust, 'trust')
  const verdict = evaluate([trust], access, (statement) => names(statement, caller) !== 'nobody')
  if (verdict !== 'allow')
    return verdict === 'deny' ? 'the trust policy denies it' : 'the trust policy does not allow it'
  const exact = evaluate([trust], access, (statement) => names(statement, caller) === 'caller') === 'allow'
  if (!exact || accountOf(roleArn) !== caller.account) return refusal(world, caller, access)
  const { identity, limits } = policiesOf(world, caller)
  if (evaluate(identity, access) === 'deny') return 'an identity policy denies it'
  return limitRefusal(limits, access)
}

function limitRefusal(limits: readonly Policy[], access: Access): Refusal {
  for (const policy of limits) if (evaluate([policy], access) !== 'allow') return outsideLimits
  return ''
}

const byOrganization = 'a service control policy denies it'

/** Service control policies hold for all of an account but the management account. `FullAWSAccess` stands beside each. */
export function isDeniedByOrganization(world: World, account: string, access: Access): boolean {
  if (account === world.organization?.managementAccount) return false
  const attached = (world.serviceControlPolicies ?? []).filter(({ accounts }) => accounts.includes(account))
  return (
    evaluate(
      attached.map(({ document }) => parsePolicy(document, 'identity')),
      access,
    ) === 'deny'
  )
}

/** What AWS adds to the text of many refusals (IAM User Guide, "Troubleshoot access denied error messages"). */
export function because(why: Refusal, action: string): string {
  if (why === byOrganization) return ' with an explicit deny in a service control policy'
  if (why === 'an identity policy denies it') return ' with an explicit deny in an identity-based policy'
  if (why === 'no identity policy allows it') return ` because no identity-based policy allows the ${action} action`
  return why === outsideLimits ? ` because no permissions boundary allows the ${action} action` : ''
}

const outsideLimits = 'the session policy or permissions boundary does not allow it'

/** Whom a trust statement means: this very caller, the whole account of the caller (which its administrator delegates), or others. */
function names(statement: Statement, caller: Caller): 'caller' | 'account' | 'nobody' {
  const aws = statement.principals.AWS ?? []
  if (aws.some((one) => one === '*' || one === caller.principalArn || one === caller.arn)) return 'caller'
  const [, partition = 'aws'] = caller.arn.split(':')
  const root = `arn:${partition}:iam::${caller.account}:root`
  return aws.includes(root) || aws.includes(caller.account) ? 'account' : 'nobody'
}

/** Condition keys that come from who calls, and from what the resource is. */
export function callerContext(world: World, caller: Caller, now: number, resource: string): Map<string, string[]> {
  const context = new Map<string, string[]>([
    ['aws:principalarn', [caller.principalArn]],
    ['aws:principalaccount', [caller.account]],
    ['aws:principalorgid', [world.organizationId]],
    ['aws:principaltype', [caller.session ? 'AssumedRole' : 'User']],
    ['aws:userid', [caller.userId]],
    ['aws:currenttime', [new Date(now).toISOString()]],
    ['aws:epochtime', [String(Math.floor(now / 1000))]],
    ['aws:resourceaccount', [accountOf(resource)]],
    ['aws:resourceorgid', [world.organizationId]],
  ])
  if (caller.region !== undefined) context.set('aws:requestedregion', [caller.region])
  if (caller.session) {
    context.set('aws:tokenissuetime', [new Date(caller.session.issuedAt).toISOString()])
    if (caller.session.sourceIdentity) context.set('aws:sourceidentity', [caller.session.sourceIdentity])
  } else context.set('aws:username', [caller.arn.slice(caller.arn.lastIndexOf('/') + 1)])
  for (const [key, value] of Object.entries(principalTags(world, caller)))
    context.set(`aws:principaltag/${key.toLowerCase()}`, [value])
  for (const [key, value] of Object.entries(findRole(world, resource)?.tags ?? {})) {
    context.set(`aws:resourcetag/${key.toLowerCase()}`, [value])
    context.set(`iam:resourcetag/${key.toLowerCase()}`, [value])
  }
  return context
}
