import type { IdentityCenterCalls, PermissionSetRead } from './identity-center-calls.ts'
import type { AssignmentSeen, GroupSeen, IdentityCenterInstance, PermissionSetSeen } from './picture.ts'
import { readDetails } from './read-identity-center.ts'

/** What a whole reading has found out, and single readings go by. */
export interface Known {
  readonly instance: IdentityCenterInstance
  /** ARNs of permission sets by their names. */
  readonly permissionSets: ReadonlyMap<string, string>
}

/**
 * One group with its members. @returns null: there is no such group
 * @throws BrokerError AWS_DENIED, AWS_UNAVAILABLE; the signal's reason
 */
export async function readGroup(
  calls: IdentityCenterCalls,
  { instance }: Known,
  id: string,
  signal: AbortSignal,
): Promise<GroupSeen | null> {
  const group = await calls.group(instance, id, signal)
  const members = group && (await calls.members(instance, id, signal))
  return members && { ...group, members: [...members].sort((a, b) => (a.userId < b.userId ? -1 : 1)) }
}

/**
 * One permission set with who is assigned it in one account: eight calls; one more for each set that is new since the whole reading.
 * @returns null: there is no set of this name @throws as {@link readGroup}
 */
export async function readPermissionSet(
  calls: IdentityCenterCalls,
  known: Known,
  { account, name }: { readonly account: string; readonly name: string },
  signal: AbortSignal,
): Promise<{ readonly set: PermissionSetSeen; readonly assignments: readonly AssignmentSeen[] } | null> {
  const { instance } = known
  const before = known.permissionSets.get(name)
  const same = before === undefined ? null : await calls.permissionSet(instance, before, signal)
  const read = same?.name === name ? same : await findNew(calls, known, name, signal)
  if (!read) return null
  const details = await readDetails(calls, instance, read.arn, signal)
  const accounts = details && (await calls.accountsOf(instance, read.arn, signal))
  if (!details || !accounts) return null
  const assignments = await calls.assignments(instance, { account, permissionSet: read.arn }, signal)
  return { set: { ...read, details, accounts }, assignments: assignments ?? [] }
}

/** A set may also have been made anew under the name. */
async function findNew(
  calls: IdentityCenterCalls,
  { instance, permissionSets }: Known,
  name: string,
  signal: AbortSignal,
): Promise<PermissionSetRead | null> {
  const before = new Set(permissionSets.values())
  for (const arn of await calls.permissionSets(instance, signal)) {
    const read = before.has(arn) ? null : await calls.permissionSet(instance, arn, signal)
    if (read?.name === name) return read
  }
  return null
}
