/**
 * What is read of IAM Identity Center: its administration (`sso-admin`, API version 2020-07-20) and its identity store (`identitystore`,
 * 2020-06-15), both in its home region. It works in the management account and in a delegated administrator. Nothing here changes
 * anything.
 */
import type { Group, User } from '@aws-sdk/client-identitystore'
import type { AccountAssignment, PermissionSet } from '@aws-sdk/client-sso-admin'
import { BrokerError } from '../../../proxy/session.ts'
import { allPages } from '../pages.ts'
import { nullIf } from '../service-caller.ts'
import { checked, checkedId, checkedSet } from './checked-ids.ts'
import { createIdentityCenterCallers, type IdentityCenterCallersDeps } from './identity-center-callers.ts'
import { readPolicies } from './permission-set-policies.ts'
import type {
  AssignmentSeen,
  GroupSeen,
  IdentityCenterInstance,
  MemberSeen,
  PermissionSetPolicies,
  PermissionSetSeen,
  UserSeen,
} from './picture.ts'

type InstanceRead = IdentityCenterInstance & { readonly isActive: boolean }
export type PermissionSetRead = Omit<PermissionSetSeen, 'details' | 'accounts'>
export type GroupRead = Omit<GroupSeen, 'members'>
export type Principal = Pick<AssignmentSeen, 'principalType' | 'principalId'>

/**
 * Each answer is complete: all pages, or an error. What AWS does not find is null.
 * @throws BrokerError AWS_DENIED (which call, what to do), AWS_UNAVAILABLE; the signal's reason once it is aborted
 */
export interface IdentityCenterCalls {
  readonly region: string
  /** Empty in every region but its home. */
  instances(signal: AbortSignal): Promise<readonly InstanceRead[]>
  /** ARNs. */
  permissionSets(instance: IdentityCenterInstance, signal: AbortSignal): Promise<readonly string[]>
  permissionSet(instance: IdentityCenterInstance, arn: string, signal: AbortSignal): Promise<PermissionSetRead | null>
  permissionSetTags(
    instance: IdentityCenterInstance,
    arn: string,
    signal: AbortSignal,
  ): Promise<Readonly<Record<string, string>> | null>
  policiesOf(
    instance: IdentityCenterInstance,
    permissionSet: string,
    signal: AbortSignal,
  ): Promise<PermissionSetPolicies | null>
  /** Ids of the accounts that have its role. */
  accountsOf(
    instance: IdentityCenterInstance,
    permissionSet: string,
    signal: AbortSignal,
  ): Promise<readonly string[] | null>
  assignments(
    instance: IdentityCenterInstance,
    pair: Pick<AssignmentSeen, 'account' | 'permissionSet'>,
    signal: AbortSignal,
  ): Promise<readonly AssignmentSeen[] | null>
  /** In the management account alone. Of a person: also what the person has through groups, as assignments of those. */
  assignmentsFor(
    instance: IdentityCenterInstance,
    principal: Principal,
    signal: AbortSignal,
  ): Promise<readonly AssignmentSeen[] | null>
  users(instance: IdentityCenterInstance, signal: AbortSignal): Promise<readonly UserSeen[]>
  groups(instance: IdentityCenterInstance, signal: AbortSignal): Promise<readonly GroupRead[]>
  group(instance: IdentityCenterInstance, id: string, signal: AbortSignal): Promise<GroupRead | null>
  members(instance: IdentityCenterInstance, group: string, signal: AbortSignal): Promise<readonly MemberSeen[] | null>
}

const MaxResults = 100
const notFound = ['ResourceNotFound']

/** Made once for each region. The SDKs are imported with the first call. */
export function createIdentityCenterCalls(deps: IdentityCenterCallersDeps): IdentityCenterCalls {
  const { region } = deps
  const { sso, store } = createIdentityCenterCallers(deps)
  return {
    region,
    instances: async (signal) => {
      const found = await allPages('ListInstances', async (token) => {
        const page = await sso('ListInstances', signal, ({ sdk, client }, options) =>
          client.send(new sdk.ListInstancesCommand({ ...token, MaxResults }), options),
        )
        return { items: page.Instances, nextToken: page.NextToken }
      })
      return found.map(({ InstanceArn, IdentityStoreId, OwnerAccountId, Status }) => ({
        arn: checked(/^arn:[\w-]+:sso:::instance\/[\w.-]+$/, InstanceArn, 'ListInstances'),
        identityStoreId: checked(/^[\w-]{1,64}$/, IdentityStoreId, 'ListInstances'),
        ownerAccount: checked(/^\d{12}$/, OwnerAccountId, 'ListInstances'),
        region,
        isActive: Status === 'ACTIVE',
      }))
    },
    permissionSets: async ({ arn: InstanceArn }, signal) => {
      const found = await allPages('ListPermissionSets', async (token) => {
        const page = await sso('ListPermissionSets', signal, ({ sdk, client }, options) =>
          client.send(new sdk.ListPermissionSetsCommand({ InstanceArn, ...token, MaxResults }), options),
        )
        return { items: page.PermissionSets, nextToken: page.NextToken }
      })
      return found.map((arn) => checkedSet(arn, 'ListPermissionSets'))
    },
    permissionSet: ({ arn: InstanceArn }, PermissionSetArn, signal) =>
      nullIf(notFound, async () => {
        const { PermissionSet: found = {} } = await sso('DescribePermissionSet', signal, ({ sdk, client }, options) =>
          client.send(new sdk.DescribePermissionSetCommand({ InstanceArn, PermissionSetArn }), options),
        )
        return toPermissionSet(found)
      }),
    permissionSetTags: ({ arn: InstanceArn }, ResourceArn, signal) =>
      nullIf(notFound, async () => {
        const found = await allPages('ListTagsForResource', async (token) => {
          const page = await sso('ListTagsForResource', signal, ({ sdk, client }, options) =>
            client.send(new sdk.ListTagsForResourceCommand({ InstanceArn, ResourceArn, ...token }), options),
          )
          return { items: page.Tags, nextToken: page.NextToken }
        })
        return Object.fromEntries(found.map(({ Key = '', Value = '' }) => [Key, Value]))
      }),
    policiesOf: ({ arn: InstanceArn }, PermissionSetArn, signal) =>
      readPolicies(sso, { InstanceArn, PermissionSetArn }, signal),
    accountsOf: ({ arn: InstanceArn }, PermissionSetArn, signal) =>
      nullIf(notFound, async () => {
        const operation = 'ListAccountsForProvisionedPermissionSet'
        const found = await allPages(operation, async (token) => {
          const input = { InstanceArn, PermissionSetArn, ...token, MaxResults }
          const page = await sso(operation, signal, ({ sdk, client }, options) =>
            client.send(new sdk.ListAccountsForProvisionedPermissionSetCommand(input), options),
          )
          return { items: page.AccountIds, nextToken: page.NextToken }
        })
        return [...new Set(found.map((id) => checked(/^\d{12}$/, id, operation)))].sort()
      }),
    assignments: ({ arn: InstanceArn }, { account: AccountId, permissionSet: PermissionSetArn }, signal) =>
      nullIf(notFound, async () => {
        const operation = 'ListAccountAssignments'
        const found = await allPages(operation, async (token) => {
          const input = { InstanceArn, AccountId, PermissionSetArn, ...token, MaxResults }
          const page = await sso(operation, signal, ({ sdk, client }, options) =>
            client.send(new sdk.ListAccountAssignmentsCommand(input), options),
          )
          return { items: page.AccountAssignments, nextToken: page.NextToken }
        })
        return found.map((one) => toAssignment(one, operation))
      }),
    assignmentsFor: ({ arn: InstanceArn }, { principalType: PrincipalType, principalId: PrincipalId }, signal) =>
      nullIf(notFound, async () => {
        const operation = 'ListAccountAssignmentsForPrincipal'
        const found = await allPages(operation, async (token) => {
          const input = { InstanceArn, PrincipalType, PrincipalId, ...token, MaxResults }
          const page = await sso(operation, signal, ({ sdk, client }, options) =>
            client.send(new sdk.ListAccountAssignmentsForPrincipalCommand(input), options),
          )
          return { items: page.AccountAssignments, nextToken: page.NextToken }
        })
        return found.map((one) => toAssignment(one, operation))
      }),
    users: async ({ identityStoreId: IdentityStoreId }, signal) => {
      const found = await allPages('ListUsers', async (token) => {
        const page = await store('ListUsers', signal, ({ sdk, client }, options) =>
          client.send(new sdk.ListUsersCommand({ IdentityStoreId, ...token, MaxResults }), options),
        )
        return { items: page.Users, nextToken: page.NextToken }
      })
      return found.map(toUser)
    },
    groups: async ({ identityStoreId: IdentityStoreId }, signal) => {
      const found = await allPages('ListGroups', async (token) => {
        const page = await store('ListGroups', signal, ({ sdk, client }, options) =>
          client.send(new sdk.ListGroupsCommand({ IdentityStoreId, ...token, MaxResults }), options),
        )
        return { items: page.Groups, nextToken: page.NextToken }
      })
      return found.map((one) => toGroup(one, 'ListGroups'))
    },
    group: ({ identityStoreId: IdentityStoreId }, GroupId, signal) =>
      nullIf(notFound, async () => {
        const found = await store('DescribeGroup', signal, ({ sdk, client }, options) =>
          client.send(new sdk.DescribeGroupCommand({ IdentityStoreId, GroupId }), options),
        )
        return toGroup(found, 'DescribeGroup')
      }),
    members: ({ identityStoreId: IdentityStoreId }, GroupId, signal) =>
      nullIf(notFound, async () => {
        const operation = 'ListGroupMemberships'
        const found = await allPages(operation, async (token) => {
          const page = await store(operation, signal, ({ sdk, client }, options) =>
            client.send(
              new sdk.ListGroupMembershipsCommand({ IdentityStoreId, GroupId, ...token, MaxResults }),
              options,
            ),
          )
          return { items: page.GroupMemberships, nextToken: page.NextToken }
        })
        return found.map(({ MemberId, MembershipId }) => ({
          userId: checkedId(MemberId?.UserId, operation),
          membershipId: checkedId(MembershipId, operation),
        }))
      }),
  }
}

function toPermissionSet({
  PermissionSetArn,
  Name,
  Description = '',
  SessionDuration,
}: PermissionSet): PermissionSetRead {
  return {
    arn: checkedSet(PermissionSetArn, 'DescribePermissionSet'),
    name: checked(/^[\w+=,.@-]{1,32}$/, Name, 'DescribePermissionSet'),
    description: Description,
    sessionMs: sessionMsOf(SessionDuration),
  }
}

/** ISO 8601, of which Identity Center uses hours, minutes and seconds; an hour where nothing was chosen. */
function sessionMsOf(duration = 'PT1H'): number | null {
  const [text, hours = '0', minutes = '0', seconds = '0'] = /^PT(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)S)?$/.exec(duration) ?? []
  return text === undefined || text === 'PT'
    ? null
    : ((Number(hours) * 60 + Number(minutes)) * 60 + Number(seconds)) * 1000
}

function toAssignment(
  { AccountId, PermissionSetArn, PrincipalType, PrincipalId }: AccountAssignment,
  operation: string,
): AssignmentSeen {
  if (PrincipalType !== 'USER' && PrincipalType !== 'GROUP')
    throw new BrokerError('AWS_UNAVAILABLE', `${operation} answered with a principal of the type ${PrincipalType}`)
  return {
    account: checked(/^\d{12}$/, AccountId, operation),
    permissionSet: checkedSet(PermissionSetArn, operation),
    principalType: PrincipalType,
    principalId: checkedId(PrincipalId, operation),
  }
}

function toUser({
  UserId,
  UserName = '',
  DisplayName = '',
  Emails = [],
  UserStatus,
  ExternalIds = [],
}: User): UserSeen {
  return {
    id: checkedId(UserId, 'ListUsers'),
    userName: UserName,
    displayName: DisplayName,
    email: Emails[0]?.Value ?? null,
    isEnabled: UserStatus === undefined ? null : UserStatus === 'ENABLED',
    isExternal: ExternalIds.length > 0,
  }
}

type Described = Partial<Pick<Group, 'GroupId' | 'DisplayName' | 'Description' | 'ExternalIds'>>

function toGroup(
  { GroupId, DisplayName = '', Description = '', ExternalIds = [] }: Described,
  operation: string,
): GroupRead {
  return {
    id: checkedId(GroupId, operation),
    name: DisplayName,
    description: Description,
    isExternal: ExternalIds.length > 0,
  }
}
