/**
 * What is changed in IAM Identity Center: assignments of permission sets to people (`sso-admin`, API version 2020-07-20), which AWS answers
 * at once and does later, and members of groups (`identitystore`, 2020-06-15). What the state is, is read from AWS with each call.
 */
import type { AccountAssignmentOperationStatus } from '@aws-sdk/client-sso-admin'
import { BrokerError } from '../../../proxy/session.ts'
import { isCode } from '../aws-errors.ts'
import { Paced } from '../paced.ts'
import { allPages } from '../pages.ts'
import { nullIf } from '../service-caller.ts'
import { AssignmentPlaces } from './assignment-places.ts'
import { checked, checkedId } from './checked-ids.ts'
import {
  createIdentityCenterCallers,
  type IdentityCenterCallersDeps,
  identityCenterPace,
} from './identity-center-callers.ts'
import type { IdentityCenterInstance } from './picture.ts'
import { type ChangeFailure, toChangeFailure, toPushRefused } from './push-refused.ts'
import { SharedPolls } from './shared-polls.ts'

/** A person's own assignment, by ids that AWS gives to nothing else. */
export interface AssignmentKey {
  /** 12 digits. */
  readonly account: string
  readonly permissionSetArn: string
  readonly userId: string
}

/** A change that AWS was asked for; plain data, to be written down before it is asked about. */
export interface AssignmentTicket {
  readonly change: 'create' | 'delete'
  readonly requestId: string
}

/** `unknown`: AWS has forgotten the ticket, so the state itself must be read. */
export type AssignmentState =
  | { readonly state: 'in-progress' | 'succeeded' | 'unknown' }
  | ({ readonly state: 'failed' } & ChangeFailure)

/**
 * What changes something throws {@link PushRefused} where AWS refuses it, so that nothing of it will come; after any other error it may. What
 * reads throws BrokerError AWS_DENIED, AWS_UNAVAILABLE. All of it throws the signal's reason once it is aborted.
 */
export interface IdentityCenterWrites {
  /** The instance of the organization; found once. */
  instance(signal: AbortSignal): Promise<IdentityCenterInstance>
  /** The person's own, not one of a group. False only where the instance answers. */
  hasAssignment(key: AssignmentKey, signal: AbortSignal): Promise<boolean>
  /** Ends well where it is there already. */
  createAssignment(key: AssignmentKey, signal: AbortSignal): Promise<AssignmentTicket>
  /** @throws PushRefused NotFound where it is not there */
  deleteAssignment(key: AssignmentKey, signal: AbortSignal): Promise<AssignmentTicket>
  assignmentState(ticket: AssignmentTicket, signal: AbortSignal): Promise<AssignmentState>
  /** Changes of people's assignments that are under way, of others too, as AWS lists them. */
  changesUnderWay(signal: AbortSignal): Promise<readonly (AssignmentKey & { readonly ticket: AssignmentTicket })[]>
  /** How many changes of assignments may begin now; without room they are refused as Busy. */
  room(change: AssignmentTicket['change']): number
  /** Null: not a member. */
  membershipId(groupId: string, userId: string, signal: AbortSignal): Promise<string | null>
  /** @throws PushRefused Conflict where it is there already */
  createMembership(groupId: string, userId: string, signal: AbortSignal): Promise<string>
  /** Also where it is gone already. */
  deleteMembership(membershipId: string, signal: AbortSignal): Promise<void>
}

export interface IdentityCenterWritesDeps extends IdentityCenterCallersDeps {
  /** The instance of the organization in this region. @throws BrokerError AWS_DENIED where it is not there, AWS_UNAVAILABLE */
  findInstance(signal: AbortSignal): Promise<IdentityCenterInstance>
  /** Shared by all that changes assignments. */
  readonly places?: AssignmentPlaces
}

/** A reading that is tried for too long keeps others from their turn. */
const readAttempts = 3
/** A change is never tried again by itself: AWS may have taken the first, and then refuses the second. */
const writeAttempts = 1
const MaxResults = 100
/** AWS keeps what is over for a while. */
const forgotten = 'forgotten'

/** Made once for each region. The SDKs are imported with the first call. */
export function createIdentityCenterWrites(deps: IdentityCenterWritesDeps): IdentityCenterWrites {
  const { places = new AssignmentPlaces() } = deps
  const shared = { ...deps, paced: deps.paced ?? new Paced(identityCenterPace) }
  const { sso, store } = createIdentityCenterCallers(shared, readAttempts)
  const change = createIdentityCenterCallers(shared, writeAttempts)
  let found: Promise<IdentityCenterInstance> | undefined
  const instance = (signal: AbortSignal) => {
    found ??= deps.findInstance(signal).catch((error: unknown) => {
      found = undefined
      throw error
    })
    return found
  }
  /** Whether the instance is still the one that was found: then what AWS does not find is not there. */
  const confirm = async (signal: AbortSignal) => {
    const known = await instance(signal)
    const now = await deps.findInstance(signal)
    if (now.arn !== known.arn || now.identityStoreId !== known.identityStoreId)
      throw new BrokerError('AWS_DENIED', `Identity Center is another instance now: ${now.arn}, not ${known.arn}`, {
        hint: 'Restart the daemon once `sallyport sync` has read the new one, and remove resources of the old one.',
      })
  }
  const assigned = async ({ account, permissionSetArn, userId }: AssignmentKey, signal: AbortSignal) => {
    const { arn, ownerAccount } = await instance(signal)
    // Emulators have another form of ARN.
    if (!permissionSetArn.includes(`/${arn.slice(arn.lastIndexOf('/') + 1)}/`))
      throw new BrokerError('AWS_DENIED', `${permissionSetArn} is a permission set of another instance than ${arn}`)
    const input = {
      InstanceArn: arn,
      PermissionSetArn: permissionSetArn,
      TargetId: account,
      TargetType: 'AWS_ACCOUNT',
      PrincipalType: 'USER',
      PrincipalId: userId,
    } as const
    return { input, isManagementAccount: account === ownerAccount }
  }
  const refused = async <T>(what: string, ask: () => Promise<T>, of: Parameters<typeof toPushRefused>[2] = {}) => {
    try {
      return await ask()
    } catch (error) {
      throw toPushRefused(error, what, of)
    }
  }
  const polls = new SharedPolls<AccountAssignmentOperationStatus | typeof forgotten>({
    underWay: async (change, signal) => new Set(await requestIds(change, signal)),
    describe: async (ticket, signal) =>
      (await nullIf(['ResourceNotFound'], () => describe(ticket, signal))) ?? forgotten,
  })
  const writes: IdentityCenterWrites = {
    instance,
    room: (change) => places.room(change),
    hasAssignment: async (key, signal) => {
      const { input } = await assigned(key, signal)
      const { InstanceArn, PermissionSetArn, TargetId: AccountId } = input
      const page = (token: { NextToken?: string }) =>
        sso('ListAccountAssignments', signal, ({ sdk, client }, options) =>
          client.send(
            new sdk.ListAccountAssignmentsCommand({ InstanceArn, PermissionSetArn, AccountId, ...token, MaxResults }),
            options,
          ),
        )
      const all = await nullIf(['ResourceNotFound'], () =>
        allPages('ListAccountAssignments', async (token) => {
          const { AccountAssignments: items, NextToken: nextToken } = await page(token)
          return { items, nextToken }
        }),
      )
      if (all === null) await confirm(signal)
      return (all ?? []).some((one) => one.PrincipalType === 'USER' && one.PrincipalId === key.userId)
    },
    createAssignment: async (key, signal) => {
      const { input, isManagementAccount } = await assigned(key, signal)
      const start = async () => {
        const { AccountAssignmentCreationStatus: status } = await change.sso(
          'CreateAccountAssignment',
          signal,
          ({ sdk, client }, options) => client.send(new sdk.CreateAccountAssignmentCommand(input), options),
        )
        return requestIdOf(status, 'CreateAccountAssignment')
      }
      const what = 'assigning the permission set'
      return {
        change: 'create',
        requestId: await places.begin('create', () => refused(what, start, { isManagementAccount })),
      }
    },
    deleteAssignment: async (key, signal) => {
      const { input, isManagementAccount } = await assigned(key, signal)
      const start = async () => {
        const { AccountAssignmentDeletionStatus: status } = await change.sso(
          'DeleteAccountAssignment',
          signal,
          ({ sdk, client }, options) => client.send(new sdk.DeleteAccountAssignmentCommand(input), options),
        )
        return requestIdOf(status, 'DeleteAccountAssignment')
      }
      const what = 'removing the assignment'
      return {
        change: 'delete',
        requestId: await places.begin('delete', () => refused(what, start, { isManagementAccount, isRemoval: true })),
      }
    },
    assignmentState: async (ticket, signal) => {
      const { requestId } = ticket
      const status = await polls.ask(ticket, signal)
      if (status === forgotten) await confirm(signal)
      if (status === null || (status !== forgotten && status.Status === 'IN_PROGRESS')) {
        places.seen(requestId)
        return { state: 'in-progress' }
      }
      places.ended(requestId)
      if (status === forgotten) return { state: 'unknown' }
      if (status.Status === 'SUCCEEDED') return { state: 'succeeded' }
      if (status.Status !== 'FAILED')
        throw new BrokerError('AWS_UNAVAILABLE', `the state of a change is ${String(status.Status).slice(0, 50)}`)
      const { ownerAccount } = await instance(signal)
      return { state: 'failed', ...toChangeFailure(status.FailureReason, status.TargetId === ownerAccount) }
    },
    changesUnderWay: async (signal) => {
      const found: (AssignmentKey & { ticket: AssignmentTicket })[] = []
      for (const change of ['create', 'delete'] as const)
        for (const requestId of await requestIds(change, signal)) {
          const ticket = { change, requestId }
          const status = await nullIf(['ResourceNotFound'], () => describe(ticket, signal))
          const { Status, PrincipalType, TargetId, PermissionSetArn, PrincipalId } = status ?? {}
          if (Status === 'IN_PROGRESS' && PrincipalType === 'USER')
            found.push({
              ...{ ticket, account: TargetId ?? '', permissionSetArn: PermissionSetArn ?? '' },
              userId: PrincipalId ?? '',
            })
        }
      return found
    },
    membershipId: async (GroupId, userId, signal) => {
      const { identityStoreId: IdentityStoreId } = await instance(signal)
      const input = { IdentityStoreId, GroupId, MemberId: { UserId: userId } }
      return await nullIfGone(signal, async () => {
        const { MembershipId } = await store('GetGroupMembershipId', signal, ({ sdk, client }, options) =>
          client.send(new sdk.GetGroupMembershipIdCommand(input), options),
        )
        return checkedId(MembershipId, 'GetGroupMembershipId')
      })
    },
    createMembership: async (GroupId, userId, signal) => {
      const { identityStoreId: IdentityStoreId } = await instance(signal)
      const input = { IdentityStoreId, GroupId, MemberId: { UserId: userId } }
      const { MembershipId } = await refused('putting the person into the group', () =>
        change.store('CreateGroupMembership', signal, ({ sdk, client }, options) =>
          client.send(new sdk.CreateGroupMembershipCommand(input), options),
        ),
      )
      return checkedId(MembershipId, 'CreateGroupMembership')
    },
    deleteMembership: async (MembershipId, signal) => {
      const { identityStoreId: IdentityStoreId } = await instance(signal)
      await refused('taking the person out of the group', () =>
        nullIfGone(signal, () =>
          change.store('DeleteGroupMembership', signal, ({ sdk, client }, options) =>
            client.send(new sdk.DeleteGroupMembershipCommand({ IdentityStoreId, MembershipId }), options),
          ),
        ),
      )
    },
  }
  return writes

  /** Null where AWS does not find the membership, the group or the person, in the identity store that was found. */
  async function nullIfGone<T>(signal: AbortSignal, ask: () => Promise<T>): Promise<T | null> {
    try {
      return await ask()
    } catch (error) {
      if (!isCode(error, 'ResourceNotFound')) throw error
      const { ResourceType: type } = (error as Error).cause as { ResourceType?: string }
      if (type === undefined || type === 'IDENTITY_STORE') await confirm(signal)
      return null
    }
  }

  async function describe(
    { change, requestId }: AssignmentTicket,
    signal: AbortSignal,
  ): Promise<AccountAssignmentOperationStatus> {
    const { arn: InstanceArn } = await instance(signal)
    if (change === 'create') {
      const input = { InstanceArn, AccountAssignmentCreationRequestId: requestId }
      const { AccountAssignmentCreationStatus: status = {} } = await sso(
        'DescribeAccountAssignmentCreationStatus',
        signal,
        ({ sdk, client }, options) =>
          client.send(new sdk.DescribeAccountAssignmentCreationStatusCommand(input), options),
      )
      return status
    }
    const input = { InstanceArn, AccountAssignmentDeletionRequestId: requestId }
    const { AccountAssignmentDeletionStatus: status = {} } = await sso(
      'DescribeAccountAssignmentDeletionStatus',
      signal,
      ({ sdk, client }, options) => client.send(new sdk.DescribeAccountAssignmentDeletionStatusCommand(input), options),
    )
    return status
  }

  async function requestIds(change: AssignmentTicket['change'], signal: AbortSignal): Promise<string[]> {
    const { arn: InstanceArn } = await instance(signal)
    const Filter = { Status: 'IN_PROGRESS' } as const
    const operation =
      change === 'create' ? 'ListAccountAssignmentCreationStatus' : 'ListAccountAssignmentDeletionStatus'
    const found = await allPages(operation, async (token) => {
      const input = { InstanceArn, Filter, ...token, MaxResults }
      if (change === 'create') {
        const page = await sso(operation, signal, ({ sdk, client }, options) =>
          client.send(new sdk.ListAccountAssignmentCreationStatusCommand(input), options),
        )
        return { items: page.AccountAssignmentsCreationStatus, nextToken: page.NextToken }
      }
      const page = await sso(operation, signal, ({ sdk, client }, options) =>
        client.send(new sdk.ListAccountAssignmentDeletionStatusCommand(input), options),
      )
      return { items: page.AccountAssignmentsDeletionStatus, nextToken: page.NextToken }
    })
    return found.map((one) => requestIdOf(one, operation))
  }
}

function requestIdOf(status: { RequestId?: string | undefined } | undefined, operation: string): string {
  return checked(/^[\w-]{1,64}$/, status?.RequestId, operation)
}
