/**
 * What changes assignments of Identity Center (`sso-admin`): creation and deletion, which are answered at once and done later, their
 * states and the lists of them. One change of an account and a permission set is under way at a time (user guide, "Quotas"). What AWS's
 * documents leave open is as public reports have it: reasons of failures, and what is said of too many changes.
 */
import { randomUUID } from 'node:crypto'
import type { AssignmentChange, ChangingAssignments } from './assignment.ts'
import { AwsFault } from './aws-fault.ts'
import {
  type Answers,
  type Ask,
  account,
  denied,
  instanceArn,
  isSameAssignment,
  isSamePair,
  type Members,
  notFound,
  permissionSetArn,
  permissionSetOf,
  principalType,
  refusalOf,
  setArnOf,
} from './identity-center-parts.ts'
import { maxResults, nextToken, resourceId } from './json-input.ts'
import type { IdentityCenter, World } from './world.ts'

const requestId = { pattern: /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/ } as const
const assignment = {
  InstanceArn: instanceArn,
  TargetId: account,
  TargetType: { pattern: /^AWS_ACCOUNT$/ },
  PermissionSetArn: permissionSetArn,
  PrincipalType: principalType,
  PrincipalId: resourceId,
} as const
const list = {
  InstanceArn: instanceArn,
  MaxResults: maxResults,
  NextToken: nextToken,
  Filter: { members: { Status: { pattern: /^(IN_PROGRESS|FAILED|SUCCEEDED)$/, isOptional: true } }, isOptional: true },
} as const

export const changeMembers: Members = {
  CreateAccountAssignment: assignment,
  DeleteAccountAssignment: assignment,
  DescribeAccountAssignmentCreationStatus: {
    InstanceArn: instanceArn,
    AccountAssignmentCreationRequestId: requestId,
  },
  DescribeAccountAssignmentDeletionStatus: {
    InstanceArn: instanceArn,
    AccountAssignmentDeletionRequestId: requestId,
  },
  ListAccountAssignmentCreationStatus: list,
  ListAccountAssignmentDeletionStatus: list,
}

export const changeAnswers: Answers = {
  CreateAccountAssignment: (ask) => ({ AccountAssignmentCreationStatus: toStatus(ask.center, begin(ask, 'create')) }),
  DeleteAccountAssignment: (ask) => ({ AccountAssignmentDeletionStatus: toStatus(ask.center, begin(ask, 'delete')) }),
  DescribeAccountAssignmentCreationStatus: (ask) => ({
    AccountAssignmentCreationStatus: stateOf(ask, 'create', ask.input.AccountAssignmentCreationRequestId),
  }),
  DescribeAccountAssignmentDeletionStatus: (ask) => ({
    AccountAssignmentDeletionStatus: stateOf(ask, 'delete', ask.input.AccountAssignmentDeletionRequestId),
  }),
  ListAccountAssignmentCreationStatus: (ask) => {
    const { items, ...token } = listed(ask, 'create')
    return { AccountAssignmentsCreationStatus: items, ...token }
  },
  ListAccountAssignmentDeletionStatus: (ask) => {
    const { items, ...token } = listed(ask, 'delete')
    return { AccountAssignmentsDeletionStatus: items, ...token }
  },
}

/** Changes whose time is over come to their end. */
export function endDue(world: World, center: IdentityCenter, now: number): void {
  for (const change of underWay(center)) {
    const isDue =
      typeof center.changesTake === 'object' && 'ms' in center.changesTake
        ? now >= change.askedAt + center.changesTake.ms
        : change.pollsLeft <= 0
    if (isDue) end(world, center, change)
  }
}

/** They were seen under way once more. */
export function seen(changes: readonly AssignmentChange[]): void {
  for (const change of changes) change.pollsLeft -= 1
}

/** @param reason it fails with @param world left out: its accounts are not looked at */
export function end(
  world: Pick<World, 'organization'>,
  center: IdentityCenter,
  change: AssignmentChange,
  reason: string | null = change.failureReason,
): void {
  const failure = reason ?? center.failures[change.account] ?? accountProblem(world, change.account)
  if (failure !== null) {
    Object.assign(change, { status: 'FAILED', failureReason: failure })
    return
  }
  change.status = 'SUCCEEDED'
  const { account, permissionSet, type, principal } = change
  const others = center.assignments.filter((one) => !isSameAssignment(one, change))
  center.assignments = change.to === 'create' ? [...others, { account, permissionSet, type, principal }] : others
  const set = center.permissionSets.find(({ id }) => id === permissionSet)
  if (!set) return
  // The role of a permission set is there as long as anything is assigned.
  const isUsed = center.assignments.some((one) => isSamePair(one, change))
  const elsewhere = set.provisionedIn.filter((id) => id !== account)
  set.provisionedIn = isUsed ? [...elsewhere, account].sort() : elsewhere
}

export function underWay({ changes }: ChangingAssignments): AssignmentChange[] {
  return changes.filter(({ status }) => status === 'IN_PROGRESS')
}

function accountProblem({ organization }: Pick<World, 'organization'>, id: string): string | null {
  if (!organization) return null
  const found = organization.accounts.find((one) => one.id === id)
  if (!found) return `Received a 404 status error: the account ${id} is not in the organization`
  return found.state === 'ACTIVE' ? null : `Received a 403 status error: the account ${id} is not active`
}

function begin(ask: Ask, to: AssignmentChange['to']): AssignmentChange {
  const { center, caller, input, deps } = ask
  const set = permissionSetOf(ask, input.PermissionSetArn)
  const given = { account: `${input.TargetId}`, permissionSet: set.id, principal: `${input.PrincipalId}` }
  const wanted = { ...given, type: input.PrincipalType as 'USER' | 'GROUP' }
  const isManagement = (id: string) => id === center.ownerAccount
  if (!isManagement(caller.account) && [wanted.account, ...set.provisionedIn].some(isManagement))
    throw denied(
      `User: ${caller.arn} is not authorized to perform: sso:${to}AccountAssignment on the management account`,
    )
  const principals: readonly { id: string }[] = wanted.type === 'USER' ? center.users : center.groups
  if (to === 'create' && !principals.some(({ id }) => id === wanted.principal)) throw notFound('principal')
  const busy = underWay(center)
  const same = busy.filter((one) => isSamePair(one, wanted))
  seen(same)
  if (same.length > 0)
    throw new AwsFault('ConflictException', 400, 'Another operation on this account and permission set is in progress')
  if (busy.length >= center.mostChanges) {
    seen(busy)
    throw new AwsFault('ThrottlingException', 400, 'There are too many requests processing. Please try again later.')
  }
  const isThere = center.assignments.some((one) => isSameAssignment(one, wanted))
  if (to === 'delete' && !isThere && center.absentDeletion === 'refused') throw notFound('assignment')
  const { changesTake } = center
  const change: AssignmentChange = {
    ...wanted,
    requestId: randomUUID(),
    to,
    status: 'IN_PROGRESS',
    failureReason:
      to === 'delete' && !isThere
        ? 'the assignment does not exist'
        : isManagement(wanted.account)
          ? iamFailure(ask, wanted, to)
          : null,
    askedAt: deps.now(),
    pollsLeft: typeof changesTake === 'object' && 'polls' in changesTake ? changesTake.polls : Number.POSITIVE_INFINITY,
  }
  center.changes.push(change)
  return change
}

/** In the management account Identity Center acts with the credentials of its caller. */
function iamFailure(
  { deps, caller, center }: Ask,
  wanted: { account: string; permissionSet: string },
  to: string,
): string | null {
  const provider = `arn:aws:iam::${wanted.account}:saml-provider/AWSSSO_0123456789abcdef_DO_NOT_DELETE`
  const set = center.permissionSets.find(({ id }) => id === wanted.permissionSet)
  const role = `arn:aws:iam::${wanted.account}:role/aws-reserved/sso.amazonaws.com/AWSReservedSSO_${set?.name}_0123456789abcdef`
  const isNew = !set?.provisionedIn.includes(wanted.account)
  const isLast = center.assignments.filter((one) => isSamePair(one, wanted)).length === 1
  const needed: [string, string][] = [
    ['iam:GetSAMLProvider', provider],
    ...(center.hasNewCertificate ? [['iam:UpdateSAMLProvider', provider] as [string, string]] : []),
    ['iam:GetRole', role],
    ...(to === 'create' && isNew ? making : to === 'delete' && isLast ? unmaking : []).map(
      (action): [string, string] => [action, role],
    ),
  ]
  for (const [action, resource] of needed)
    if (refusalOf(deps, caller, action, resource) !== '')
      return `Received a 403 status error: Access denied by IAM. Please check your policy, or wait for role propagation to complete. IAM Error: User: ${caller.arn} is not authorized to perform: ${action} on resource: ${resource} because no identity-based policy allows the ${action} action (Service: AmazonIdentityManagement; Status Code: 403; Error Code: AccessDenied; Request ID: ${randomUUID()}; Proxy: null)`
  return null
}

const making = ['iam:CreateRole', 'iam:AttachRolePolicy', 'iam:PutRolePolicy', 'iam:PutRolePermissionsBoundary']
const unmaking = [
  ...['iam:ListAttachedRolePolicies', 'iam:ListRolePolicies', 'iam:DetachRolePolicy'],
  ...['iam:DeleteRolePolicy', 'iam:DeleteRole'],
]

function stateOf({ center }: Ask, to: AssignmentChange['to'], id: unknown): object {
  const change = center.changes.find((one) => one.requestId === id && one.to === to)
  if (!change) throw notFound('request')
  const status = toStatus(center, change)
  if (change.status === 'IN_PROGRESS') seen([change])
  return status
}

function listed({ center, input, page }: Ask, to: AssignmentChange['to']) {
  const { Status: only } = (input.Filter ?? {}) as { Status?: string }
  const wanted = center.changes.filter((one) => one.to === to && (only === undefined || one.status === only))
  const { items, ...token } = page(wanted, ({ requestId }) => requestId)
  const found = items.map(({ status, requestId, askedAt }) => ({
    Status: status,
    RequestId: requestId,
    CreatedDate: Math.floor(askedAt / 1000),
  }))
  seen(items.filter(({ status }) => status === 'IN_PROGRESS'))
  return { items: found, ...token }
}

function toStatus(center: IdentityCenter, change: AssignmentChange): object {
  return {
    Status: change.status,
    RequestId: change.requestId,
    ...(change.status === 'FAILED' ? { FailureReason: change.failureReason } : {}),
    TargetId: change.account,
    TargetType: 'AWS_ACCOUNT',
    PermissionSetArn: setArnOf(center, change.permissionSet),
    PrincipalType: change.type,
    PrincipalId: change.principal,
    CreatedDate: Math.floor(change.askedAt / 1000),
  }
}
