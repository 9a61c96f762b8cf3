import { formatDuration } from '../../../proxy/duration.ts'
import { BrokerError } from '../../../proxy/session.ts'
import type { Aws } from '../../aws/aws.ts'
import { createIdentityCenterCalls } from '../../aws/identity-center/identity-center-calls.ts'
import type { IdentityCenterInstance } from '../../aws/identity-center/picture.ts'
import { PushRefused as RefusedByAws } from '../../aws/identity-center/push-refused.ts'
import { findInstance } from '../../aws/identity-center/read-identity-center.ts'
import { createDirectory, type Directory } from '../../aws/identity-center/users.ts'
import { createIdentityCenterWrites, type IdentityCenterWrites } from '../../aws/identity-center/writes.ts'
import { createOrganizationCalls } from '../../aws/organization/organization-calls.ts'
import type { Paced } from '../../aws/paced.ts'
import { whoAmI } from '../../aws/permissions/who-am-i.ts'
import type { Config } from '../../config/config.ts'
import type { CenterReads } from '../../pushed/center-groups.ts'
import type { Membership } from '../../pushed/membership.ts'
import { type Pusher, PushRefused, type PushTicket } from '../../pushed/pusher.ts'
import { systemClock } from '../../telemetry/clock.ts'
import type { Metrics } from '../../telemetry/metrics.ts'
import type { GroupLevel } from '../identity-center-group/level.ts'
import type { GroupTarget } from '../identity-center-group/target.ts'
import type { PermissionSetLevel } from '../permission-set/level.ts'
import type { PermissionSetTarget } from '../permission-set/target.ts'

export interface PushersDeps {
  readonly aws: Pick<Aws, 'hub' | 'identityCenterPaced'>
  readonly config: Pick<Config, 'aws' | 'inventory'>
  /** Of the access portal, as it is set now; null: it is not known. */
  readonly portalUrl?: () => string | null
  readonly metrics: Pick<Metrics, 'awsCallsTotal'>
  /** Left out: that of all who ask Identity Center. */
  readonly paced?: Paced
}

export interface IdentityCenterPushers {
  readonly permissionSets: Pusher<PermissionSetTarget, PermissionSetLevel>
  readonly groups: Pusher<GroupTarget, GroupLevel>
  readonly directory: Directory
  /** Groups and their members, as AWS shows them. */
  readonly center: CenterReads
  /** Of the organization. @throws BrokerError AWS_DENIED where it is not in the region, AWS_UNAVAILABLE */
  instance(signal: AbortSignal): Promise<IdentityCenterInstance>
}

/** When an assignment is first asked about: AWS takes some seconds. */
const firstPollMs = 2000

/** How grants of permission sets and groups are written to IAM Identity Center, in its home region, by the hub role. */
export function identityCenterPushers({
  aws,
  config,
  metrics,
  portalUrl = () => null,
  paced = aws.identityCenterPaced,
}: PushersDeps): IdentityCenterPushers {
  const region = config.inventory.identityCenter?.region ?? config.aws.regions[0] ?? 'us-east-1'
  const deps = { aws, config: config.aws, metrics, region, paced }
  const calls = createIdentityCenterCalls(deps)
  const organizations = createOrganizationCalls({ aws, config: config.aws, metrics })
  let managementAccount: string | undefined
  const writes = createIdentityCenterWrites({
    ...deps,
    findInstance: async (signal) => {
      managementAccount ??= (await organizations.describe(signal)).managementAccount
      return await findInstance(calls, { managementAccount, signal })
    },
  })
  let account: string | undefined
  const hubAccount = async (signal: AbortSignal) => {
    const credentials = aws.hub ?? undefined
    account ??= (await whoAmI({ config: config.aws, metrics, signal, credentials, clock: systemClock })).account
    return account
  }
  return {
    permissionSets: {
      ...permissionSetPusher(writes, region, portalUrl),
      observeAll: async ({ resource, target: { account, arn } }, signal) => {
        if (arn === null) throw notRead(resource.id)
        const found =
          (await calls.assignments(await writes.instance(signal), { account, permissionSet: arn }, signal)) ?? []
        return found.flatMap(({ principalType, principalId: userId }) =>
          principalType === 'USER' ? [toAssignment({ region, account, arn, userId })] : [],
        )
      },
      refusesNow: async ({ target: { account } }, signal) => {
        const { ownerAccount } = await writes.instance(signal)
        if (account !== ownerAccount || (await hubAccount(signal)) === ownerAccount) return null
        return {
          reason: `account ${account} is the management account, where a delegated administrator assigns nothing`,
          hint: 'an admin can assign it there by hand, or put the hub role into the management account',
        }
      },
    },
    groups: {
      ...groupPusher(writes, region, portalUrl),
      observeAll: async ({ resource, target: { id, identityStore } }, signal) => {
        if (identityStore === null) throw notRead(resource.id)
        const members = (await calls.members(await writes.instance(signal), id, signal)) ?? []
        return members.map(({ userId }) => toMembership({ region, identityStore, id, userId }))
      },
    },
    center: {
      groups: async (signal) => await calls.groups(await writes.instance(signal), signal),
      members: async (id, signal) => await calls.members(await writes.instance(signal), id, signal),
    },
    directory: createDirectory({ ...deps, instance: (signal) => writes.instance(signal) }),
    instance: (signal) => writes.instance(signal),
  }
}

type Portal = () => string | null

function permissionSetPusher(
  writes: IdentityCenterWrites,
  region: string,
  portalUrl: Portal,
): Omit<Pusher<PermissionSetTarget, PermissionSetLevel>, 'observeAll'> {
  const keyOf = ({ account, what, userId }: Membership) => ({
    account: account ?? '',
    permissionSetArn: what,
    userId,
  })
  return {
    firstPollMs,
    region,
    membership: ({ resource, target: { account, arn } }, userId) => {
      if (arn === null) throw notRead(resource.id)
      return toAssignment({ region, account, arn, userId })
    },
    portal: ({ account, name }) => {
      const url = portalUrl()
      return url === null ? null : `${url}/#/console?${new URLSearchParams({ account_id: account, role_name: name })}`
    },
    refuses: ({ resource, target, level: { longestSessionMs } }) => {
      const { arn, name, sessionMs } = target
      if (arn === null) return { reason: notRead(resource.id).message, hint: 'an admin can run: sallyport sync' }
      if (longestSessionMs === null || sessionMs === null || sessionMs <= longestSessionMs) return null
      return {
        reason: `sessions of ${name} last ${formatDuration(sessionMs)}, and the level allows ${formatDuration(longestSessionMs)}`,
        hint: 'shorten the session duration of the permission set in Identity Center',
      }
    },
    observe: async (membership, signal) => ({ isThere: await writes.hasAssignment(keyOf(membership), signal) }),
    begin: async ({ membership, to }, signal) => {
      const key = keyOf(membership)
      const { change, requestId } = await refused(() =>
        to === 'present' ? writes.createAssignment(key, signal) : writes.deleteAssignment(key, signal),
      )
      return { change, requestId }
    },
    poll: async (ticket, signal) => {
      const found = await writes.assignmentState(ticketOf(ticket), signal)
      if (found.state !== 'failed') return { state: found.state }
      return { state: 'failed', reason: withFix(found.reason, found.fix), isLasting: found.isLasting }
    },
  }
}

function groupPusher(
  writes: IdentityCenterWrites,
  region: string,
  portalUrl: Portal,
): Omit<Pusher<GroupTarget, GroupLevel>, 'observeAll'> {
  const idOf = ({ what, userId }: Membership, signal: AbortSignal) => writes.membershipId(what, userId, signal)
  return {
    firstPollMs: 0,
    region,
    membership: ({ resource, target: { id, identityStore } }, userId) => {
      if (identityStore === null) throw notRead(resource.id)
      return toMembership({ region, identityStore, id, userId })
    },
    portal: () => portalUrl(),
    refuses: ({ resource, target: { id, identityStore, isExternal, title }, level: { allowsExternal } }) => {
      if (identityStore === null)
        return { reason: notRead(resource.id).message, hint: 'an admin can run: sallyport sync' }
      if (isExternal !== true || allowsExternal) return null
      return {
        reason: `another provider keeps the members of ${title ?? id}, and may undo what is changed in Identity Center`,
        hint: 'ask for it at that provider; if it leaves other members alone, the level can say external: true',
      }
    },
    observe: async (membership, signal) => {
      const externalId = await idOf(membership, signal)
      return externalId === null ? { isThere: false } : { isThere: true, externalId }
    },
    begin: async ({ membership, to, externalId }, signal) => {
      if (to === 'present') {
        const { what, userId } = membership
        return { externalId: await refused(() => writes.createMembership(what, userId, signal)) }
      }
      const id = externalId ?? (await idOf(membership, signal))
      if (id !== null) await refused(() => writes.deleteMembership(id, signal))
      return {}
    },
    poll: async ({ externalId }) => ({ state: 'succeeded', ...(externalId === undefined ? {} : { externalId }) }),
  }
}

function toAssignment(of: { region: string; account: string; arn: string; userId: string }): Membership {
  const { region, account, arn, userId } = of
  return { kind: 'permission-set', region, instance: instanceOf(arn), account, what: arn, userId }
}

function toMembership(of: { region: string; identityStore: string; id: string; userId: string }): Membership {
  const { region, identityStore, id, userId } = of
  return { kind: 'identity-center-group', region, instance: identityStore, account: null, what: id, userId }
}

/** `arn:aws:sso:::permissionSet/ssoins-…/ps-…` → `arn:aws:sso:::instance/ssoins-…` */
function instanceOf(permissionSet: string): string {
  const [head = '', instance = ''] = permissionSet.split('/')
  return `${head.slice(0, head.lastIndexOf(':') + 1)}instance/${instance}`
}

function notRead(id: string): BrokerError {
  return new BrokerError('AWS_UNAVAILABLE', `${id} has not been read in Identity Center yet`, {
    hint: 'It is read every inventory.every, and by: sallyport sync',
  })
}

function ticketOf({ change, requestId }: PushTicket) {
  if ((change !== 'create' && change !== 'delete') || requestId === undefined)
    throw new Error('a ticket of another kind')
  return { change, requestId } as const
}

/** @throws PushRefused as it is told of pushes */
async function refused<T>(ask: () => Promise<T>): Promise<T> {
  try {
    return await ask()
  } catch (error) {
    if (!(error instanceof RefusedByAws)) throw error
    const { code, message, isLasting, fix } = error
    const of = { code, message: withFix(message, fix), isLasting, ...(fix === null ? {} : { fix }) }
    throw new PushRefused(of, { cause: error })
  }
}

function withFix(text: string, fix: string | null): string {
  return fix === null ? text : `${text.replace(/\.$/, '')}. ${fix}`
}
