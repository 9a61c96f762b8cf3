/**
 * What reads the administration of IAM Identity Center (`sso-admin`, JSON 1.1, API version 2020-07-20), signed for as `sso`: instance,
 * permission sets, their policies, the accounts that have them, assignments; and, from its own file, what changes assignments. Left out:
 * all that changes permission sets, applications.
 */
import type { IdentityCenterAssignment } from './assignment.ts'
import { changeAnswers, changeMembers, endDue, seen, underWay } from './assignment-changes.ts'
import { AwsFault } from './aws-fault.ts'
import type { Caller } from './callers.ts'
import {
  type Answers,
  type Ask,
  account,
  type CenterDeps,
  countCall,
  denied,
  type Input,
  instanceArn,
  instanceOf,
  isSamePair,
  type Members,
  mayAdminister,
  notFound,
  permissionSetArn,
  permissionSetOf,
  permit,
  principalType,
  setArnOf,
} from './identity-center-parts.ts'
import { checkInput, invalid, maxResults, nextToken, resourceId } from './json-input.ts'
import { createPager } from './pager.ts'
import type { PolicyReference } from './world.ts'

export interface IdentityCenterDouble {
  /** @throws AwsFault */
  answer(caller: Caller, region: string, operation: string, input: Readonly<Record<string, unknown>>): object
}

const paged = { MaxResults: maxResults, NextToken: nextToken }

const members: Members = {
  ...changeMembers,
  ListInstances: paged,
  ListPermissionSets: { InstanceArn: instanceArn, ...paged },
  DescribePermissionSet: { InstanceArn: instanceArn, PermissionSetArn: permissionSetArn },
  ListTagsForResource: {
    InstanceArn: { ...instanceArn, isOptional: true },
    ResourceArn: permissionSetArn,
    NextToken: nextToken,
  },
  ListManagedPoliciesInPermissionSet: { InstanceArn: instanceArn, PermissionSetArn: permissionSetArn, ...paged },
  ListCustomerManagedPolicyReferencesInPermissionSet: {
    InstanceArn: instanceArn,
    PermissionSetArn: permissionSetArn,
    ...paged,
  },
  GetInlinePolicyForPermissionSet: { InstanceArn: instanceArn, PermissionSetArn: permissionSetArn },
  GetPermissionsBoundaryForPermissionSet: { InstanceArn: instanceArn, PermissionSetArn: permissionSetArn },
  ListAccountsForProvisionedPermissionSet: { InstanceArn: instanceArn, PermissionSetArn: permissionSetArn, ...paged },
  ListPermissionSetsProvisionedToAccount: { InstanceArn: instanceArn, AccountId: account, ...paged },
  ListAccountAssignments: {
    InstanceArn: instanceArn,
    AccountId: account,
    PermissionSetArn: permissionSetArn,
    ...paged,
  },
  ListAccountAssignmentsForPrincipal: {
    InstanceArn: instanceArn,
    PrincipalId: resourceId,
    PrincipalType: principalType,
    Filter: { members: { AccountId: account }, isOptional: true },
    ...paged,
  },
}

export function createIdentityCenter(deps: CenterDeps): IdentityCenterDouble {
  const pager = createPager(() => invalid('the token is of no such list'))
  return {
    answer: (caller, region, operation, input) => {
      const [expected, answer] = [members[operation], answers[operation]]
      if (!expected || !answer) throw new AwsFault('UnknownOperationException', 400, operation)
      checkInput(input, expected)
      authorize(deps, caller, operation, input)
      const center = deps.world.identityCenter
      if (operation === 'ListInstances' && center?.region !== region) return { Instances: [] }
      if (center?.region !== region) throw notFound('instance')
      countCall(center, deps.now())
      mayAdminister(center, caller, operation)
      if (operation !== 'ListInstances' && input.InstanceArn !== undefined && input.InstanceArn !== instanceOf(center))
        throw notFound('instance')
      endDue(deps.world, center, deps.now())
      const { NextToken: token, MaxResults: size = 100, ...rest } = input as { NextToken?: string; MaxResults?: number }
      const list = `${caller.account} ${operation} ${Object.values(rest).join()}`
      const ask = { list, token, size: Math.min(size, center.pageSize), hasEmptyPages: center.hasEmptyPages }
      return answer({ deps, center, caller, input, page: (items, keyOf) => pager(ask, items, keyOf) })
    },
  }
}

/** What permission sets allow. A set without a boundary is answered as if it were not there. */
const policyAnswers: Answers = {
  ListManagedPoliciesInPermissionSet: (ask) => {
    const { managedPolicies } = permissionSetOf(ask, ask.input.PermissionSetArn)
    const { items, ...token } = ask.page(managedPolicies, (arn) => arn)
    return {
      AttachedManagedPolicies: items.map((arn) => ({ Name: arn.slice(arn.lastIndexOf('/') + 1), Arn: arn })),
      ...token,
    }
  },
  ListCustomerManagedPolicyReferencesInPermissionSet: (ask) => {
    const { customerPolicies } = permissionSetOf(ask, ask.input.PermissionSetArn)
    const { items, ...token } = ask.page(customerPolicies, ({ path, name }) => `${path}${name}`)
    return { CustomerManagedPolicyReferences: items.map(toReference), ...token }
  },
  GetInlinePolicyForPermissionSet: (ask) => {
    const { inlinePolicy } = permissionSetOf(ask, ask.input.PermissionSetArn)
    return inlinePolicy === '' ? {} : { InlinePolicy: inlinePolicy }
  },
  GetPermissionsBoundaryForPermissionSet: (ask) => {
    const { boundary } = permissionSetOf(ask, ask.input.PermissionSetArn)
    if (boundary === null) throw notFound('permissions boundary')
    return {
      PermissionsBoundary:
        typeof boundary === 'string'
          ? { ManagedPolicyArn: boundary }
          : { CustomerManagedPolicyReference: toReference(boundary) },
    }
  },
}

function toReference({ name, path }: PolicyReference): object {
  return { Name: name, Path: path }
}

const answers: Answers = {
  ...changeAnswers,
  ListInstances: ({ center, page }) => {
    const { items, ...token } = page([center], ({ instanceId }) => instanceId)
    const Instances = items.map(({ identityStoreId, ownerAccount, status }) => ({
      InstanceArn: instanceOf(center),
      IdentityStoreId: identityStoreId,
      OwnerAccountId: ownerAccount,
      Status: status,
      CreatedDate: 1_700_000_000,
    }))
    return { Instances, ...token }
  },
  ListPermissionSets: ({ center, page }) => {
    const { items, ...token } = page(center.permissionSets, ({ id }) => id)
    return { PermissionSets: items.map(({ id }) => setArnOf(center, id)), ...token }
  },
  DescribePermissionSet: (ask) => {
    const { id, name, description, sessionDuration } = permissionSetOf(ask, ask.input.PermissionSetArn)
    return {
      PermissionSet: {
        PermissionSetArn: setArnOf(ask.center, id),
        Name: name,
        ...(description === '' ? {} : { Description: description }),
        SessionDuration: sessionDuration,
        CreatedDate: 1_700_000_000,
      },
    }
  },
  ListTagsForResource: (ask) => {
    const { tags } = permissionSetOf(ask, ask.input.ResourceArn)
    const { items, ...token } = ask.page(Object.entries(tags), ([key]) => key)
    return { Tags: items.map(([Key, Value]) => ({ Key, Value })), ...token }
  },
  ...policyAnswers,
  ListAccountsForProvisionedPermissionSet: (ask) => {
    const { provisionedIn } = permissionSetOf(ask, ask.input.PermissionSetArn)
    const { items, ...token } = ask.page(provisionedIn, (id) => id)
    return { AccountIds: items, ...token }
  },
  ListPermissionSetsProvisionedToAccount: ({ center, input, page }) => {
    const here = center.permissionSets.filter(({ provisionedIn }) => provisionedIn.includes(`${input.AccountId}`))
    const { items, ...token } = page(here, ({ id }) => id)
    return { PermissionSets: items.map(({ id }) => setArnOf(center, id)), ...token }
  },
  ListAccountAssignments: (ask) => {
    const { id } = permissionSetOf(ask, ask.input.PermissionSetArn)
    const pair = { account: `${ask.input.AccountId}`, permissionSet: id }
    seen(underWay(ask.center).filter((one) => isSamePair(one, pair)))
    return assignmentPage(ask, (one) => isSamePair(one, pair))
  },
  ListAccountAssignmentsForPrincipal: (ask) => {
    const { center, caller, input } = ask
    if (caller.account !== center.ownerAccount)
      throw denied(`User: ${caller.arn} is not authorized to perform: sso:ListAccountAssignmentsForPrincipal`)
    const { PrincipalId: principal, PrincipalType: type, Filter: filter } = input
    const known: readonly { id: string }[] = type === 'USER' ? center.users : center.groups
    if (!known.some(({ id }) => id === principal)) throw notFound('principal')
    const groups = center.groups.filter(({ members }) => members.some(({ userId }) => userId === principal))
    const isTheirs = (one: IdentityCenterAssignment) =>
      (one.type === type && one.principal === principal) ||
      (type === 'USER' && one.type === 'GROUP' && groups.some(({ id }) => id === one.principal))
    const { AccountId: only } = (filter ?? {}) as { AccountId?: string }
    return assignmentPage(ask, (one) => isTheirs(one) && (only === undefined || one.account === only))
  },
}

function assignmentPage({ center, page }: Ask, isWanted: (one: IdentityCenterAssignment) => boolean): object {
  const { items, ...token } = page(center.assignments.filter(isWanted), ({ account, permissionSet, type, principal }) =>
    [account, permissionSet, type, principal].join(' '),
  )
  const AccountAssignments = items.map((one) => ({
    AccountId: one.account,
    PermissionSetArn: setArnOf(center, one.permissionSet),
    PrincipalType: one.type,
    PrincipalId: one.principal,
  }))
  return { AccountAssignments, ...token }
}

function authorize(deps: CenterDeps, caller: Caller, operation: string, input: Input): void {
  const { InstanceArn, PermissionSetArn, ResourceArn, AccountId, TargetId } = input
  const id = TargetId ?? AccountId
  const target = id === undefined ? undefined : `arn:aws:sso:::account/${id}`
  const resources = [InstanceArn, PermissionSetArn ?? ResourceArn, target].filter((one) => typeof one === 'string')
  for (const resource of resources.length === 0 ? ['*'] : resources) permit(deps, caller, `sso:${operation}`, resource)
}
