/**
 * Which changes in AWS are worth reading something again, and what. Follows the records of CloudTrail ("CloudTrail record contents",
 * "AWS API Call via CloudTrail" of EventBridge) and the events of EC2 and of tags. An event says only where to look: what it claims to have
 * changed is never believed. Left out: managed policies, which the broker itself changes with each revocation.
 */

/** Something to be read again. */
export interface EventHint {
  /** Name of a discovery of src/inventory. */
  readonly discovery: string
  /** Where it happened; for `organization` and `identity-center` it says nothing. */
  readonly account: string
  /** Null: the discovery is not by region. */
  readonly region: string | null
  /** Full id in the catalog; left out: all of the place. */
  readonly resourceId?: string
}

/** What a record says, as far as its form was checked. */
export interface EventRecord {
  /** Where it was recorded: 12 digits. */
  readonly account: string
  readonly region: string
  readonly request: Readonly<Record<string, unknown>>
  readonly response: Readonly<Record<string, unknown>>
  /** Of events that no call caused. */
  readonly details: Readonly<Record<string, unknown>>
}

export interface EventGroup {
  /** As EventBridge names it: `aws.iam`. */
  readonly source: string
  /** As CloudTrail names it. */
  readonly eventSource: string
  /** Services that have no region record their events in one, whatever region was spoken to. */
  readonly isGlobal: boolean
  readonly names: readonly string[]
  hints(record: EventRecord): readonly EventHint[]
}

/** Instances of one event that are read one by one; of more, their region is read. */
const mostSingly = 20

const roleName = /^[\w+=,.@-]{1,64}$/
const instanceId = /^i-[0-9a-f]{8,17}$/
const clusterName = /^[0-9A-Za-z][A-Za-z0-9_-]{0,99}$/
const accountId = /^\d{12}$/
const groupId = /^(?:[0-9a-f]{10}-)?[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}$/
const unitId = /^ou-[0-9a-z]{4,32}-[a-z0-9]{8,32}$/

export const eventGroups: readonly EventGroup[] = [
  {
    source: 'aws.iam',
    eventSource: 'iam.amazonaws.com',
    isGlobal: true,
    names: [
      'CreateRole',
      'DeleteRole',
      'UpdateRole',
      'TagRole',
      'UntagRole',
      'UpdateAssumeRolePolicy',
      'PutRolePolicy',
      'DeleteRolePolicy',
      'AttachRolePolicy',
      'DetachRolePolicy',
      'PutRolePermissionsBoundary',
      'DeleteRolePermissionsBoundary',
    ],
    hints: ({ account, request }) => role(account, request.roleName),
  },
  {
    source: 'aws.organizations',
    eventSource: 'organizations.amazonaws.com',
    isGlobal: true,
    names: [
      'CreateAccountResult',
      'AcceptHandshake',
      'MoveAccount',
      'CloseAccount',
      'RemoveAccountFromOrganization',
      'LeaveOrganization',
      'CreateOrganizationalUnit',
      'UpdateOrganizationalUnit',
      'DeleteOrganizationalUnit',
      'TagResource',
      'UntagResource',
    ],
    hints: ({ account, request, response, details }) => {
      const made = objectIn(response, 'organizationalUnit').id
      const created = objectIn(details, 'createAccountStatus').accountId
      const named = [request.accountId, request.organizationalUnitId, request.resourceId, made, created]
      return node(account, ...named)
    },
  },
  {
    source: 'aws.sso',
    eventSource: 'sso.amazonaws.com',
    isGlobal: false,
    names: [
      'CreateAccountAssignment',
      'DeleteAccountAssignment',
      'CreatePermissionSet',
      'UpdatePermissionSet',
      'DeletePermissionSet',
      'ProvisionPermissionSet',
      'TagResource',
      'UntagResource',
    ],
    hints: identityCenter,
  },
  ...['identitystore', 'sso-directory'].map((service) => ({
    source: `aws.${service}`,
    eventSource: `${service}.amazonaws.com`,
    isGlobal: false,
    names: [
      'CreateGroup',
      'UpdateGroup',
      'DeleteGroup',
      'CreateUser',
      'UpdateUser',
      'DeleteUser',
      'AddMemberToGroup',
      'RemoveMemberFromGroup',
      'CreateGroupMembership',
      'DeleteGroupMembership',
    ],
    hints: group,
  })),
  {
    source: 'aws.ec2',
    eventSource: 'ec2.amazonaws.com',
    isGlobal: false,
    names: [
      'RunInstances',
      'StartInstances',
      'StopInstances',
      'TerminateInstances',
      'CreateTags',
      'DeleteTags',
      'AssociateIamInstanceProfile',
      'ReplaceIamInstanceProfileAssociation',
      'DisassociateIamInstanceProfile',
      'ModifyInstanceMetadataOptions',
    ],
    hints: ({ account, region, request, response }) => instances(account, region, textsIn(request, response)),
  },
  {
    source: 'aws.rds',
    eventSource: 'rds.amazonaws.com',
    isGlobal: false,
    names: [
      'CreateDBInstance',
      'CreateDBInstanceReadReplica',
      'RestoreDBInstanceFromDBSnapshot',
      'RestoreDBInstanceFromS3',
      'RestoreDBInstanceToPointInTime',
      'ModifyDBInstance',
      'DeleteDBInstance',
      'StartDBInstance',
      'StopDBInstance',
      'PromoteReadReplica',
      'CreateDBCluster',
      'RestoreDBClusterFromS3',
      'RestoreDBClusterFromSnapshot',
      'RestoreDBClusterToPointInTime',
      'ModifyDBCluster',
      'DeleteDBCluster',
      'StartDBCluster',
      'StopDBCluster',
      'FailoverDBCluster',
      'CreateDBClusterEndpoint',
      'ModifyDBClusterEndpoint',
      'DeleteDBClusterEndpoint',
      'CreateDBProxy',
      'ModifyDBProxy',
      'DeleteDBProxy',
      'AddTagsToResource',
      'RemoveTagsFromResource',
    ],
    // Instance, cluster and custom endpoint are one resource, and which kind it is the event does not say.
    hints: ({ account, region }) => [{ discovery: 'rds', account, region }],
  },
  {
    source: 'aws.eks',
    eventSource: 'eks.amazonaws.com',
    isGlobal: false,
    names: [
      'CreateCluster',
      'DeleteCluster',
      'UpdateClusterConfig',
      'CreateAccessEntry',
      'UpdateAccessEntry',
      'DeleteAccessEntry',
      'AssociateAccessPolicy',
      'DisassociateAccessPolicy',
      'TagResource',
      'UntagResource',
    ],
    hints: ({ account, region, request }) =>
      typeof request.resourceArn === 'string'
        ? arnHints(request.resourceArn)
        : cluster(account, region, request.name ?? request.clusterName),
  },
]

/** By the resource of an event about its tags. Empty: of no kind that is read. */
export function arnHints(arn: string): readonly EventHint[] {
  const [, , service, region = '', account = '', ...rest] = arn.split(':')
  if (!accountId.test(account)) return []
  const [type = '', ...names] = rest.join(':').split('/')
  if (service === 'iam' && type === 'role') return role(account, names.at(-1))
  if (service === 'organizations' && (type === 'account' || type === 'ou')) return node(account, names.at(-1))
  if (!/^[a-z]{2}(-[a-z]+)+-\d$/.test(region)) return []
  if (service === 'ec2' && type === 'instance') return instances(account, region, names)
  if (service === 'eks' && type === 'cluster') return cluster(account, region, names[0])
  if (service === 'rds' && /^(db|cluster):/.test(type)) return [{ discovery: 'rds', account, region }]
  return []
}

/** @param texts those that are no ids of instances are left out */
export function instances(account: string, region: string, texts: readonly string[]): readonly EventHint[] {
  const ids = [...new Set(texts.filter((text) => instanceId.test(text)))]
  const place = { discovery: 'ec2-instance', account, region }
  if (ids.length > mostSingly) return [place]
  return ids.map((id) => ({ ...place, resourceId: `ec2-instance/${account}/${region}/${id}` }))
}

/** CloudTrail gives the name without its path. */
function role(account: string, name: unknown): readonly EventHint[] {
  const place = { discovery: 'iam-role', account, region: null }
  if (typeof name !== 'string' || !roleName.test(name)) return [place]
  return [{ ...place, resourceId: `iam-role/${account}/${name}` }]
}

function cluster(account: string, region: string, name: unknown): readonly EventHint[] {
  const place = { discovery: 'eks-cluster', account, region }
  if (typeof name !== 'string' || !clusterName.test(name)) return [place]
  return [{ ...place, resourceId: `eks-cluster/${account}/${region}/${name}` }]
}

/** Accounts and units; none of them: the whole tree. */
function node(account: string, ...named: readonly unknown[]): readonly EventHint[] {
  const place = { discovery: 'organization', account, region: null }
  const ids = named.flatMap((id) => {
    if (typeof id !== 'string') return []
    if (accountId.test(id)) return [`account/${id}`]
    return unitId.test(id) ? [`organizational-unit/${id}`] : []
  })
  return ids.length === 0 ? [place] : ids.map((resourceId) => ({ ...place, resourceId }))
}

function identityCenter({ account }: EventRecord): readonly EventHint[] {
  return [{ discovery: 'identity-center', account, region: null }]
}

/** Events about people name no group: each that they are in has changed. */
function group(record: EventRecord): readonly EventHint[] {
  const id = record.request.groupId ?? record.response.groupId
  if (typeof id !== 'string' || !groupId.test(id)) return identityCenter(record)
  return identityCenter(record).map((place) => ({ ...place, resourceId: `identity-center-group/${id}` }))
}

/** Values that are looked at in one record. */
const mostValues = 2000

/** Texts at any depth, breadth first, of as many values as a record of AWS's has. */
function textsIn(...roots: readonly unknown[]): string[] {
  const queue = [...roots]
  const texts: string[] = []
  for (let at = 0; at < queue.length && at < mostValues; at += 1) {
    const value = queue[at]
    if (typeof value === 'string') texts.push(value)
    else if (typeof value === 'object' && value !== null && queue.length < mostValues)
      for (const inner of Object.values(value)) queue.push(inner)
  }
  return texts
}

function objectIn(from: Readonly<Record<string, unknown>>, name: string): Readonly<Record<string, unknown>> {
  const value = from[name]
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {}
}
