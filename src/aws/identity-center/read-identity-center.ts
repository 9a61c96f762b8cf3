import { BrokerError } from '../../../proxy/session.ts'
import { eachOf } from '../bounded.ts'
import type { IdentityCenterCalls, PermissionSetRead, Principal } from './identity-center-calls.ts'
import type {
  AssignmentSeen,
  GroupSeen,
  IdentityCenterInstance,
  IdentityCenterPicture,
  PermissionSetSeen,
  UserSeen,
} from './picture.ts'

export interface ReadIdentityCenterOptions {
  /** The organization's management account, which owns the instance that counts. */
  readonly managementAccount: string
  /**
   * `principals`: one call or more for each group and person, which AWS answers in the management account alone. `pairs`: the same for each
   * account × permission set, which is ten times as many calls and works in a delegated administrator too.
   */
  readonly assignments: 'principals' | 'pairs'
  readonly signal: AbortSignal
  readonly onProgress?: (progress: IdentityCenterProgress) => void
  /** Tags of a permission set that are new enough: they are not read again. Left out: all are read. */
  readonly knownTags?: (permissionSet: string) => Readonly<Record<string, string>> | undefined
}

export interface IdentityCenterProgress {
  readonly phase: 'groups' | 'permission-sets' | 'assignments'
  readonly done: number
  readonly total: number
}

interface Walk {
  readonly calls: IdentityCenterCalls
  readonly instance: IdentityCenterInstance
  readonly signal: AbortSignal
  each<T>(phase: IdentityCenterProgress['phase'], items: readonly T[], work: (item: T) => Promise<void>): Promise<void>
}

const atOnce = 4

/**
 * Reads all of Identity Center, or throws. What goes while it is read is left out.
 * @throws BrokerError AWS_DENIED (no instance in this region too), AWS_UNAVAILABLE; the signal's reason
 */
export async function readIdentityCenter(
  calls: IdentityCenterCalls,
  options: ReadIdentityCenterOptions,
): Promise<IdentityCenterPicture> {
  const { signal, onProgress = () => {}, knownTags = () => undefined } = options
  const instance = await findInstance(calls, options)
  const each: Walk['each'] = async (phase, items, work) => {
    let done = 0
    await eachOf(items, atOnce, async (item) => {
      await work(item)
      done += 1
      onProgress({ phase, done, total: items.length })
    })
  }
  const walk: Walk = { calls, instance, signal, each }
  const users = await calls.users(instance, signal)
  const groups = await readGroups(walk)
  const permissionSets = await readPermissionSets(walk, knownTags)
  const assignments =
    options.assignments === 'pairs'
      ? await readByPairs(walk, permissionSets)
      : await readByPrincipals(walk, users, groups)
  return {
    instance,
    users: sorted(users, ({ id }) => id),
    groups: sorted(groups, ({ id }) => id),
    permissionSets: sorted(permissionSets, ({ arn }) => arn),
    assignments,
  }
}

async function findInstance(
  calls: IdentityCenterCalls,
  { managementAccount, signal }: ReadIdentityCenterOptions,
): Promise<IdentityCenterInstance> {
  const found = await calls.instances(signal)
  const instance = found.find(({ ownerAccount }) => ownerAccount === managementAccount)
  if (!instance)
    throw new BrokerError('AWS_DENIED', `Identity Center of the organization is not in ${calls.region}`, {
      hint: 'It has one home region, which the console of Identity Center shows; it may also not be enabled for the organization.',
    })
  if (!instance.isActive)
    throw new BrokerError('AWS_UNAVAILABLE', `Identity Center in ${calls.region} is being made or deleted`)
  const { isActive: _, ...rest } = instance
  return rest
}

async function readGroups({ calls, instance, signal, each }: Walk): Promise<GroupSeen[]> {
  const groups: GroupSeen[] = []
  await each('groups', await calls.groups(instance, signal), async (group) => {
    const members = await calls.members(instance, group.id, signal)
    if (members) groups.push({ ...group, members: sorted(members, ({ userId }) => userId) })
  })
  return groups
}

async function readPermissionSets(
  { calls, instance, signal, each }: Walk,
  knownTags: NonNullable<ReadIdentityCenterOptions['knownTags']>,
): Promise<PermissionSetSeen[]> {
  const sets: PermissionSetSeen[] = []
  await each('permission-sets', await calls.permissionSets(instance, signal), async (arn) => {
    const read: PermissionSetRead | null = await calls.permissionSet(instance, arn, signal)
    const tags = read && (knownTags(arn) ?? (await calls.permissionSetTags(instance, arn, signal)))
    const accounts = tags && (await calls.accountsOf(instance, arn, signal))
    if (read && tags && accounts) sets.push({ ...read, tags, accounts })
  })
  return sets
}

/** What a person has through groups comes with the groups as well. */
async function readByPrincipals(
  { calls, instance, signal, each }: Walk,
  users: readonly UserSeen[],
  groups: readonly GroupSeen[],
): Promise<AssignmentSeen[]> {
  const principals: Principal[] = [
    ...groups.map(({ id }) => ({ principalType: 'GROUP', principalId: id }) as const),
    ...users.map(({ id }) => ({ principalType: 'USER', principalId: id }) as const),
  ]
  const found: AssignmentSeen[] = []
  await each('assignments', principals, async (principal) => {
    found.push(...((await calls.assignmentsFor(instance, principal, signal)) ?? []))
  })
  return once(found)
}

async function readByPairs(
  { calls, instance, signal, each }: Walk,
  permissionSets: readonly PermissionSetSeen[],
): Promise<AssignmentSeen[]> {
  const pairs = permissionSets.flatMap(({ arn, accounts }) =>
    accounts.map((account) => ({ account, permissionSet: arn })),
  )
  const found: AssignmentSeen[] = []
  await each('assignments', pairs, async (pair) => {
    found.push(...((await calls.assignments(instance, pair, signal)) ?? []))
  })
  return once(found)
}

function once(assignments: readonly AssignmentSeen[]): AssignmentSeen[] {
  const keyOf = (one: AssignmentSeen) => [one.account, one.permissionSet, one.principalType, one.principalId].join(' ')
  const distinct = new Map(assignments.map((one) => [keyOf(one), one]))
  return sorted([...distinct.values()], keyOf)
}

function sorted<T>(items: readonly T[], keyOf: (item: T) => string): T[] {
  return [...items].sort((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1))
}
