import { BrokerError } from '../../../proxy/session.ts'
import type {
  AssignmentSeen,
  GroupSeen,
  IdentityCenterPicture,
  PermissionSetSeen,
} from '../../aws/identity-center/picture.ts'
import type { Resource } from '../../catalog/resource.ts'
import type { RiskFact } from '../../catalog/risk.ts'
import { groupRisk, permissionSetRisk } from './risk.ts'

export interface Around {
  /** `o-…` */
  readonly organization: string
  /** Accounts in which a permission set is shown that has no role there; empty: none. */
  readonly accounts: readonly string[]
}

/**
 * Groups, and each permission set in each of its accounts, as resources of the catalog. People are counted, not named.
 * @throws BrokerError AWS_UNAVAILABLE where two permission sets have one name, as they may have while one is replaced
 */
export function identityCenterResources(picture: IdentityCenterPicture, around: Around): Resource[] {
  checkNames(picture.permissionSets)
  return [...groupResources(picture, around), ...permissionSetResources(picture, around)]
}

function groupResources(picture: IdentityCenterPicture, around: Pick<Around, 'organization'>): Resource[] {
  const assigned = Map.groupBy(picture.assignments, ({ principalId }) => principalId)
  return picture.groups.map((group) => groupResource(picture, around, group, assigned.get(group.id)?.length ?? 0))
}

/** @param held how many permission sets in accounts it is assigned */
export function groupResource(
  { instance }: Pick<IdentityCenterPicture, 'instance'>,
  { organization }: Pick<Around, 'organization'>,
  group: GroupSeen,
  held: number,
): Resource {
  const { id, name, isExternal, members } = group
  return {
    id: `identity-center-group/${id}`,
    kind: 'identity-center-group',
    partition: partitionOf(instance.arn),
    organization,
    account: null,
    region: null,
    name: id,
    tags: {},
    attributes: {
      title: name,
      identity_store: instance.identityStoreId,
      external: isExternal,
      members: members.length,
      assignments: held,
    },
    source: 'discovery',
    ...withRisk(groupRisk(group, held)),
  }
}

function permissionSetResources(
  { instance, permissionSets, assignments }: IdentityCenterPicture,
  { organization, accounts }: Around,
): Resource[] {
  const standing = Map.groupBy(assignments, ({ account, permissionSet }) => `${account} ${permissionSet}`)
  const partition = partitionOf(instance.arn)
  return permissionSets.flatMap((set) =>
    [...new Set([...set.accounts, ...accounts])].sort().map((account) => ({
      id: `permission-set/${account}/${set.name}`,
      kind: 'permission-set',
      partition,
      organization,
      account,
      region: null,
      name: set.name,
      tags: set.details.tags,
      attributes: attributesOf(set, account, standing.get(`${account} ${set.arn}`) ?? []),
      source: 'discovery' as const,
      ...withRisk(set.accounts.includes(account) ? permissionSetRisk(set) : []),
    })),
  )
}

function attributesOf(set: PermissionSetSeen, account: string, assignments: readonly AssignmentSeen[]) {
  const { arn, sessionMs } = set
  const { policies } = set.details
  const groups = assignments.filter(({ principalType }) => principalType === 'GROUP').length
  return {
    arn,
    ...(sessionMs === null ? {} : { session_seconds: sessionMs / 1000 }),
    provisioned: set.accounts.includes(account),
    groups,
    people: assignments.length - groups,
    policies: [...policies.managed, ...policies.customer],
    inline_policy: policies.inline !== null,
    boundary: policies.boundary ?? '',
  }
}

/** A row without findings has no member for them: what is read again must equal what is kept. */
function withRisk(risk: readonly RiskFact[]): Pick<Resource, 'risk'> {
  return risk.length === 0 ? {} : { risk }
}

function checkNames(sets: readonly PermissionSetSeen[]): void {
  const names = new Set<string>()
  for (const { name } of sets) {
    if (names.has(name))
      throw new BrokerError('AWS_UNAVAILABLE', `Identity Center shows two permission sets with the name ${name}`)
    names.add(name)
  }
}

function partitionOf(arn: string): string {
  return arn.split(':')[1] || 'aws'
}
