import type { RoleSeen } from '../../aws/estate/roles.ts'
import { few, type TrustedPrincipal, trustOf } from '../../aws/policy-facts.ts'
import type { RiskFact } from '../../catalog/risk.ts'

export interface RoleSurroundings {
  /** Of the role. */
  readonly account: string
  /** ARNs of the broker's own roles. */
  readonly broker: ReadonlySet<string>
  /** Accounts that belong to the installation's organization, as far as it is known. */
  isOwnAccount(account: string): boolean
  /** Epoch milliseconds. */
  readonly now: number
}

const day = 86_400_000
/** A role that no one used for so long is not needed. */
export const unusedMs = 90 * day

/**
 * What makes a role riskier than it should be: who may assume it without the broker, how much it may do, and whether anyone needs it. Pure.
 * No reason changes while nothing changes in AWS, so that it is not written anew each time.
 */
export function roleFindings(role: RoleSeen, surroundings: RoleSurroundings): RiskFact[] {
  return [...powerFindings(role), ...trustFindings(role, surroundings), ...unusedFinding(role, surroundings.now)]
}

function powerFindings({ powers, boundary, isBounded }: RoleSeen): RiskFact[] {
  const severity = isBounded ? 'medium' : 'high'
  const cut = isBounded ? `, cut by its permissions boundary ${boundary?.replace(/^.*:policy\//, '')}` : ''
  const findings: RiskFact[] = []
  if (powers.admin.length > 0)
    findings.push({
      code: 'admin-policy',
      severity,
      reason: `it may do everything: ${few(powers.admin)}${cut}`,
      fix: 'replace the policy by one of what is needed, or give it out by a level with a session policy',
    })
  else if (powers.escalation.length > 0)
    findings.push({
      code: 'escalation',
      severity,
      reason: `it may give itself any permission: ${few(powers.escalation)}${cut}`,
      fix: 'limit these actions to single roles and users, or set a permissions boundary',
    })
  if (powers.admin.length === 0 && powers.wide.length > 0)
    findings.push({
      code: 'over-broad',
      severity: isBounded ? 'low' : 'medium',
      reason: `whole services on every resource: ${few(powers.wide)}${cut}`,
      fix: 'name actions and resources',
    })
  return findings
}

/** Of the broker's own roles the hub is the only one who gets in, which is as it should be. */
function trustFindings(role: RoleSeen, { account, broker, isOwnAccount }: RoleSurroundings): RiskFact[] {
  if (role.trust === null || broker.has(role.arn)) return []
  const { principals, providers } = trustOf(role.trust)
  const isForeign = (one: TrustedPrincipal) =>
    one.account === null ? !one.isWithinOrganization : one.account !== account && !isOwnAccount(one.account)
  const foreign = principals.filter(isForeign)
  const standing = [
    ...principals.filter((one) => !isForeign(one) && !broker.has(one.name)).map(({ name }) => name),
    ...providers.filter((name) => name.includes(':saml-provider/') && !name.includes(':saml-provider/AWSSSO_')),
  ]
  const anyone = foreign.some(({ name }) => name === '*')
  const isGuarded = foreign.every(({ hasExternalId }) => hasExternalId)
  return [
    ...(foreign.length === 0
      ? []
      : [
          {
            code: 'outside-access',
            severity: anyone || !isGuarded ? ('high' as const) : ('medium' as const),
            reason: anyone
              ? 'its trust policy lets in anyone in any account'
              : `its trust policy lets in ${few(foreign.map(({ name }) => name))}, which ${foreign.length === 1 ? 'is' : 'are'} outside the accounts known here${isGuarded ? ', with an ExternalId' : ''}`,
            fix: 'remove what is not needed from the trust policy, and demand an ExternalId of the rest',
          },
        ]),
    ...(standing.length === 0
      ? []
      : [
          {
            code: 'permanent-access',
            severity: role.powers.admin.length > 0 ? ('high' as const) : ('low' as const),
            reason: `${few(standing)} may assume it at any time, without a request`,
            fix: 'let only the broker into the trust policy, where people use the role',
          },
        ]),
  ]
}

function unusedFinding({ createdAt, lastUsedAt }: RoleSeen, now: number): RiskFact[] {
  if (now - Math.max(createdAt, lastUsedAt ?? 0) <= unusedMs) return []
  const reason =
    lastUsedAt === null ? 'AWS has seen no use of it in 400 days, or none yet' : `last used on ${dateOf(lastUsedAt)}`
  return [{ code: 'unused', severity: 'low', reason, fix: 'delete the role if no one misses it' }]
}

/** `2026-01-02`, UTC. */
export function dateOf(at: number): string {
  return new Date(at).toISOString().slice(0, 10)
}
