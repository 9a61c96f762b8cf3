/** What EKS and a cluster say of the role of a level, held against what the level is to give. */
import type { TargetCheck } from '../../contract/aws.ts'
import { fail, ok, warn } from '../checks.ts'
import type { AccessEntry } from './access-entries.ts'
import { type AccessPolicyName, accessPolicies, liesWithin, type NeededRights } from './cluster-rights.ts'
import {
  accessEntriesOn,
  associatePolicy,
  auditLogOn,
  type ClusterPlace,
  createEntry,
  deleteEntry,
  disassociatePolicy,
  updateUsername,
} from './commands.ts'
import type { ClusterFacts } from './describe.ts'
import type { SignIn } from './sign-in.ts'

export interface MappedRole {
  readonly place: ClusterPlace
  /** ARN, with its path. */
  readonly role: string
  /** Of all levels that name it. */
  readonly needs: NeededRights
}

export function modeCheck(place: ClusterPlace, { authenticationMode: mode, version }: ClusterFacts): TargetCheck {
  const what = 'authentication mode'
  if (mode === 'CONFIG_MAP')
    return warn(
      what,
      'CONFIG_MAP: the ConfigMap aws-auth alone says who may enter, and who may change it in the cluster can let anyone in',
      `map roles by access entries, which cannot be turned off again: ${accessEntriesOn(place)}`,
    )
  const more = mode === 'API' ? '' : ', and aws-auth for roles that have none'
  return ok(what, `${mode}: access entries${more}; Kubernetes ${version}`)
}

export function auditLogCheck(place: ClusterPlace, { hasAuditLog }: ClusterFacts): TargetCheck {
  return hasAuditLog
    ? ok('audit log', 'it is on')
    : warn(
        'audit log',
        'it is off: what people do in the cluster is on record with the broker alone',
        auditLogOn(place),
      )
}

/** Whether the cluster lets the role in. @param entry null: there is none; undefined: the mode has none */
export function signInCheck(
  { place, role }: MappedRole,
  { isMapped, username }: SignIn,
  entry: AccessEntry | null | undefined,
): TargetCheck {
  if (isMapped) return ok('sign-in', `as ${username ?? role}`)
  if (entry)
    return fail(
      'sign-in',
      `the cluster refuses ${role}, which an access entry maps: the role was made anew after the entry, which is for the id that it had (or the entry is only seconds old)`,
      `make the entry anew: ${deleteEntry(place, role)} && ${createEntry(place, role)}; then associate its policies as sallyport aws prepare prints them`,
    )
  if (entry === null) return fail('sign-in', `no access entry maps ${role}`, createEntry(place, role))
  return fail(
    'sign-in',
    `aws-auth does not map ${role}`,
    'sallyport aws prepare prints the mapping: the ARN has no path there',
  )
}

export function entryChecks(mapped: MappedRole, entry: AccessEntry | null, isMapped: boolean): TargetCheck[] {
  const { place, role } = mapped
  if (entry === null)
    return isMapped ? [warn('access entry', `none maps ${role}: it enters by aws-auth`, createEntry(place, role))] : []
  if (entry.type !== 'STANDARD')
    return [
      fail(
        'access entry',
        `it has the type ${entry.type}, which is for nodes`,
        `${deleteEntry(place, role)} && ${createEntry(place, role)}`,
      ),
    ]
  return [usernameCheck(mapped, entry.username), ...policyChecks(mapped, entry)]
}

/** Empty: the one that EKS makes of the ARN of the session, which has its name. */
function usernameCheck({ place, role }: MappedRole, username: string): TargetCheck {
  if (username.includes('{{SessionName}}')) return ok('username', username)
  if (username.includes('{{SessionNameRaw}}'))
    return warn('username', `EKS does not document the template in ${username}`, updateUsername(place, role))
  return hidden(username, updateUsername(place, role))
}

function hidden(username: string, fix: string): TargetCheck {
  return warn(
    'username',
    `${username} is the same for everyone: the audit log of the cluster does not say who did what by it`,
    fix,
  )
}

/** Where the cluster maps the role otherwise. @param sessionName of the preflight */
export function knownAsCheck(username: string | null, sessionName: string): TargetCheck[] {
  if (username === null || username.includes(sessionName.replaceAll('@', '-'))) return []
  return [hidden(username, 'in mapRoles of aws-auth, set username to sallyport:{{SessionName}}')]
}

function policyChecks(mapped: MappedRole, { groups, policies }: AccessEntry): TargetCheck[] {
  const { place, role, needs } = mapped
  const narrow = associatePolicy(place, role, needs)
  if (policies.length === 0 && groups.length === 0)
    return [fail('access policies', 'the entry has neither a policy nor a group, so that it gives no rights', narrow)]
  const found = policies.map((one) => {
    const name = one.arn.slice(one.arn.lastIndexOf('/') + 1)
    const width = accessPolicies.indexOf(name as AccessPolicyName)
    return { ...one, name, width }
  })
  const needed = accessPolicies.indexOf(needs.policy)
  const checks = found.map(({ arn, name, width, namespaces }): TargetCheck => {
    const check = `policy ${name}`
    const where = namespaces === null ? 'in the whole cluster' : `in ${namespaces.join(', ')}`
    const fix = `${disassociatePolicy(place, role, arn)}; ${name === needs.policy ? 'then' : 'the level needs'}: ${narrow}`
    if (width < 0)
      return warn(check, `${where}; the broker does not know what it gives`, 'compare it with the rules of the level')
    if (width > needed) return warn(check, `it is wider than the level, for which ${needs.policy} is enough`, fix)
    if (!liesWithin(namespaces, needs.namespaces))
      return warn(check, `${where}, which is wider than the level: ${needs.namespaces?.join(', ')}`, fix)
    return ok(check, where)
  })
  const isEnough = groups.length > 0 || found.some(({ width }) => width < 0 || width >= needed)
  const less = `they give less than the level, which needs ${needs.policy}`
  return isEnough ? checks : [...checks, warn('access policies', less, narrow)]
}
