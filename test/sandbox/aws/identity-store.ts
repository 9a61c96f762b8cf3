/**
 * What reads the identity store of IAM Identity Center (`identitystore`, JSON 1.1, API version 2020-06-15): users, groups, members. Left
 * out: all that changes it, filters, addresses and the like.
 */
import { AwsFault } from './aws-fault.ts'
import type { Caller } from './callers.ts'
import { mayAdminister, permit } from './identity-center.ts'
import { checkInput, invalid, type Member, maxResults, resourceId } from './json-input.ts'
import { createPager } from './pager.ts'
import type { IdentityCenterGroup, World } from './world.ts'

export interface IdentityStoreDouble {
  /** @throws AwsFault */
  answer(caller: Caller, region: string, operation: string, input: Readonly<Record<string, unknown>>): object
}

interface Deps {
  readonly world: World
  isDenied(action: string): boolean
  now(): number
}

const store: Member = { pattern: /^(d-[0-9a-f]{10}|[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})$/ }
const paged = { MaxResults: maxResults, NextToken: { pattern: /^[-a-zA-Z0-9+=/:_]+$/, isOptional: true } } as const

const members: Readonly<Record<string, Readonly<Record<string, Member>>>> = {
  ListUsers: { IdentityStoreId: store, ...paged },
  ListGroups: { IdentityStoreId: store, ...paged },
  DescribeGroup: { IdentityStoreId: store, GroupId: resourceId },
  ListGroupMemberships: { IdentityStoreId: store, GroupId: resourceId, ...paged },
}

export function createIdentityStore(deps: Deps): IdentityStoreDouble {
  const pager = createPager(() => invalid('the token is of no such list'))
  return {
    answer: (caller, region, operation, input) => {
      const expected = members[operation]
      if (!expected) throw new AwsFault('UnknownOperationException', 400, operation)
      checkInput(input, expected)
      const {
        IdentityStoreId: id,
        GroupId: group,
        NextToken: token,
        MaxResults: size = 100,
      } = input as unknown as Given
      permit(deps, caller, `identitystore:${operation}`, `arn:aws:identitystore::${caller.account}:identitystore/${id}`)
      const center = deps.world.identityCenter
      if (center?.region !== region || center.identityStoreId !== id) throw notFound('identity store')
      mayAdminister(center, caller, operation)
      const list = `${caller.account} ${operation} ${group}`
      const ask = { list, token, size: Math.min(size, center.pageSize), hasEmptyPages: center.hasEmptyPages }
      if (operation === 'ListUsers') {
        const { items, ...more } = pager(ask, center.users, (user) => user.id)
        const Users = items.map(({ id: UserId, userName, displayName, email, isEnabled, externalId }) => ({
          IdentityStoreId: id,
          UserId,
          UserName: userName,
          DisplayName: displayName,
          UserStatus: isEnabled ? 'ENABLED' : 'DISABLED',
          ...(email === null ? {} : { Emails: [{ Value: email, Type: 'work', Primary: true }] }),
          ...external(externalId),
        }))
        return { Users, ...more }
      }
      if (operation === 'ListGroups') {
        const { items, ...more } = pager(ask, center.groups, (one) => one.id)
        return { Groups: items.map((one) => toGroup(id, one)), ...more }
      }
      const found = center.groups.find((one) => one.id === group)
      if (!found) throw notFound('group')
      if (operation === 'DescribeGroup') return toGroup(id, found)
      const { items, ...more } = pager(ask, found.members, ({ membershipId }) => membershipId)
      const GroupMemberships = items.map(({ membershipId, userId }) => ({
        IdentityStoreId: id,
        MembershipId: membershipId,
        GroupId: group,
        MemberId: { UserId: userId },
      }))
      return { GroupMemberships, ...more }
    },
  }
}

interface Given {
  readonly IdentityStoreId: string
  readonly GroupId?: string
  readonly NextToken?: string
  readonly MaxResults?: number
}

function toGroup(store: string, { id: GroupId, name, description, externalId }: IdentityCenterGroup): object {
  return {
    IdentityStoreId: store,
    GroupId,
    DisplayName: name,
    ...(description === '' ? {} : { Description: description }),
    ...external(externalId),
  }
}

/** As a provider that pushes users and groups leaves them. */
function external(externalId: string | null): object {
  return externalId === null ? {} : { ExternalIds: [{ Issuer: 'https://scim.example.com', Id: externalId }] }
}

function notFound(what: string): AwsFault {
  return new AwsFault('ResourceNotFoundException', 400, `the ${what} does not exist`)
}
