import { BrokerError } from '../../../proxy/session.ts'
import { eachOf } from '../bounded.ts'
import type { IdentityCenterCalls, PermissionSetRead, Principal } from './identity-center-calls.ts'
import type {
  AssignmentSeen,
  GroupSeen,
  IdentityCenterInstance,
  IdentityCenterPicture,
  PermissionSetDetails,
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
  /** Of a permission set what is new enough: it is not read again. Left out: all is read. */
  readonly known?: (permissionSet: string) => PermissionSetDetails | undefined
  /** Asked where Identity Center is not at home here: its region, for the error's text; null: not found. */
  readonly findHome?: (signal: AbortSignal) => Promise<string | null>
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
  const { signal, onProgress = () => {}, known = () => undefined } = options
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
  const permissionSets = await readPermissionSets(walk, known)
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

/** The instance of the organization. @throws as {@link readIdentityCenter} */
export async function findInstance(
  calls: Pick<IdentityCenterCalls, 'instances' | 'region'>,
  {
    managementAccount,
    signal,
    findHome = async () => null,
  }: Pick<ReadIdentityCenterOptions, 'managementAccount' | 'signal' | 'findHome'>,
): Promise<IdentityCenterInstance> {
  const found = await calls.instances(signal)
  const instance = found.find(({ ownerAccount }) => ownerAccount === managementAccount)
  if (!instance) {
    const [other] = found
    throw other ? notOfOrganization(calls.region, other.ownerAccount) : notHere(calls.region, await findHome(signal))
  }
  if (!instance.isActive)
    throw new BrokerError('AWS_UNAVAILABLE', `Identity Center in ${calls.region} is being made or deleted`)
  const { isActive: _, ...rest } = instance
  return rest
}

/** An account may have an instance of its own, which has neither permission sets nor assignments. */
function notOfOrganization(region: string, owner: string): BrokerError {
  return new BrokerError(
    'AWS_DENIED',
    `Identity Center in ${region} is an instance of the account ${owner} alone, not of the organization`,
    {
      hint: 'Enable Identity Center in the management account of the organization, or remove inventory.identity_center.',
    },
  )
}

function notHere(region: string, home: string | null): BrokerError {
  if (home !== null)
    return new BrokerError('AWS_DENIED', `Identity Center of the organization is in ${home}, not in ${region}`, {
      hint: `Set inventory.identity_center.region: ${home}, and reload.`,
    })
  return new BrokerError('AWS_DENIED', `Identity Center of the organization is not in ${region}`, {
    hint: 'It has one home region, which the console of Identity Center shows: set inventory.identity_center.region to it. It may also not be enabled for the organization.',
  })
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
  known: NonNullable<ReadIdentityCenterOptions['known']>,
): Promise<PermissionSetSeen[]> {
  const sets: PermissionSetSeen[] = []
  await each('permission-sets', await calls.permissionSets(instance, signal), async (arn) => {
    const read: PermissionSetRead | null = await calls.permissionSet(instance, arn, signal)
    const details = read && (known(arn) ?? (await readDetails(calls, instance, arn, signal)))
    const accounts = details && (await calls.accountsOf(instance, arn, signal))
    if (read && details && accounts) sets.push({ ...read, details, accounts })
  })
  return sets
}

/** Null: there is no such permission set any more. */
export async function readDetails(
  calls: IdentityCenterCalls,
  instance: IdentityCenterInstance,
  permissionSet: string,
  signal: AbortSignal,
): Promise<PermissionSetDetails | null> {
  const tags = await calls.permissionSetTags(instance, permissionSet, signal)
  const policies = tags && (await calls.policiesOf(instance, permissionSet, signal))
  return tags && policies && { tags, policies }
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
