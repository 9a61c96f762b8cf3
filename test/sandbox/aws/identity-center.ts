/**
 * What reads the administration of IAM Identity Center (`sso-admin`, JSON 1.1, API version 2020-07-20), signed for as `sso`: instance,
 * permission sets, their policies, the accounts that have them, assignments. Left out: all that changes it, applications.
 */
import { callerContext, refusal } from './authorize.ts'
import { AwsFault } from './aws-fault.ts'
import type { Caller } from './callers.ts'
import { checkInput, invalid, type Member, maxResults, nextToken, resourceId } from './json-input.ts'
import { createPager } from './pager.ts'
import type {
  IdentityCenter,
  IdentityCenterAssignment,
  IdentityCenterPermissionSet,
  PolicyReference,
  World,
} from './world.ts'

export interface IdentityCenterDouble {
  /** @throws AwsFault */
  answer(caller: Caller, region: string, operation: string, input: Readonly<Record<string, unknown>>): object
}

interface Deps {
  readonly world: World
  isDenied(action: string): boolean
  now(): number
}

type Input = Readonly<Record<string, unknown>>

interface Ask {
  readonly center: IdentityCenter
  readonly caller: Caller
  readonly input: Input
  readonly page: <T>(items: readonly T[], keyOf: (item: T) => string) => { items: T[]; NextToken?: string }
}

const instanceArn: Member = { pattern: /^arn:aws:sso:::instance\/(sso)?ins-[a-zA-Z0-9-.]{16}$/ }
const permissionSetArn: Member = {
  pattern: /^arn:aws:sso:::permissionSet\/(sso)?ins-[a-zA-Z0-9-.]{16}\/ps-[a-zA-Z0-9-./]{16}$/,
}
const account: Member = { pattern: /^\d{12}$/ }
const paged = { MaxResults: maxResults, NextToken: nextToken }

const members: Readonly<Record<string, Readonly<Record<string, Member>>>> = {
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
    PrincipalType: { pattern: /^(USER|GROUP)$/ },
    Filter: { members: { AccountId: account }, isOptional: true },
    ...paged,
  },
}

export function createIdentityCenter(deps: Deps): IdentityCenterDouble {
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
      mayAdminister(center, caller, operation)
      if (operation !== 'ListInstances' && input.InstanceArn !== undefined && input.InstanceArn !== instanceOf(center))
        throw notFound('instance')
      const { NextToken: token, MaxResults: size = 100, ...rest } = input as { NextToken?: string; MaxResults?: number }
      const list = `${caller.account} ${operation} ${Object.values(rest).join()}`
      const ask = { list, token, size: Math.min(size, center.pageSize), hasEmptyPages: center.hasEmptyPages }
      return answer({ center, caller, input, page: (items, keyOf) => pager(ask, items, keyOf) })
    },
  }
}

/** What permission sets allow. A set without a boundary is answered as if it were not there. */
const policyAnswers: Readonly<Record<string, (ask: Ask) => object>> = {
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

const answers: Readonly<Record<string, (ask: Ask) => object>> = {
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
    return assignmentPage(ask, (one) => one.permissionSet === id && one.account === ask.input.AccountId)
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

function permissionSetOf({ center }: Ask, arn: unknown): IdentityCenterPermissionSet {
  const found = center.permissionSets.find(({ id }) => setArnOf(center, id) === arn)
  if (!found) throw notFound('permission set')
  return found
}

function instanceOf({ instanceId }: IdentityCenter): string {
  return `arn:aws:sso:::instance/${instanceId}`
}

function setArnOf({ instanceId }: IdentityCenter, id: string): string {
  return `arn:aws:sso:::permissionSet/${instanceId}/${id}`
}

/** @throws AwsFault for other members of the organization */
export function mayAdminister(center: IdentityCenter, caller: Caller, operation: string): void {
  if (caller.account === center.ownerAccount || center.delegatedAdministrators.includes(caller.account)) return
  throw denied(`User: ${caller.arn} is not authorized to perform: ${operation} on the instance of another account`)
}

function authorize(deps: Deps, caller: Caller, operation: string, input: Input): void {
  const resources = [input.InstanceArn, input.PermissionSetArn ?? input.ResourceArn].filter(
    (one) => typeof one === 'string',
  )
  for (const resource of resources.length === 0 ? ['*'] : resources) permit(deps, caller, `sso:${operation}`, resource)
}

/** @throws AwsFault AccessDeniedException where no policy allows it */
export function permit(deps: Deps, caller: Caller, action: string, resource: string): void {
  const context = callerContext(deps.world, caller, deps.now(), resource)
  const why = deps.isDenied(action)
    ? 'denied by a fault knob'
    : refusal(deps.world, caller, { action, resource, context })
  if (why) throw denied(`User: ${caller.arn} is not authorized to perform: ${action} on resource: ${resource}`, why)
}

function denied(message: string, why = message): AwsFault {
  return new AwsFault('AccessDeniedException', 400, message, why)
}

function notFound(what: string): AwsFault {
  return new AwsFault('ResourceNotFoundException', 400, `the ${what} does not exist`)
}
