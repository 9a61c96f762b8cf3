/**
 * The identity store of IAM Identity Center (`identitystore`, JSON 1.1, API version 2020-06-15): users, groups, members, and what puts
 * people into groups and takes them out. Left out: making and changing users and groups, addresses and the like.
 */
import { randomUUID } from 'node:crypto'
import { AwsFault } from './aws-fault.ts'
import type { Caller } from './callers.ts'
import { type Ask, type CenterDeps, countCall, type Members, mayAdminister, permit } from './identity-center-parts.ts'
import { checkInput, invalid, type Member, maxResults, resourceId } from './json-input.ts'
import { createPager } from './pager.ts'
import type { IdentityCenter, IdentityCenterGroup, IdentityCenterUser } from './world.ts'

export interface IdentityStoreDouble {
  /** @throws AwsFault */
  answer(caller: Caller, region: string, operation: string, input: Readonly<Record<string, unknown>>): object
}

type StoreAsk = Omit<Ask, 'input'> & { readonly input: Given }

interface Given {
  readonly IdentityStoreId: string
  readonly GroupId?: string
  readonly UserId?: string
  readonly MembershipId?: string
  readonly MemberId?: { readonly UserId: string }
  readonly GroupIds?: readonly string[]
  readonly AlternateIdentifier?: Alternate
  readonly Filters?: readonly { readonly AttributePath: string; readonly AttributeValue: string }[]
  readonly NextToken?: string
  readonly MaxResults?: number
}

interface Alternate {
  readonly UniqueAttribute?: { readonly AttributePath: string; readonly AttributeValue: string }
  readonly ExternalId?: { readonly Issuer: string; readonly Id: string }
}

const store: Member = { pattern: /^(d-[0-9a-f]{10}|[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})$/ }
const paged = { MaxResults: maxResults, NextToken: { pattern: /^[-a-zA-Z0-9+=/:_]+$/, isOptional: true } } as const
const member: Member = { members: { UserId: resourceId }, isUnion: true }
const text: Member = { pattern: /^.{1,1024}$/s }
const attribute = { AttributePath: { pattern: /^\p{L}+(\.\p{L}+){0,2}$/u }, AttributeValue: text } as const
const alternate: Member = {
  isUnion: true,
  members: {
    UniqueAttribute: { members: attribute, isOptional: true },
    ExternalId: {
      members: { Issuer: { pattern: /^\S{1,256}$/ }, Id: { pattern: /^\S{1,256}$/ } },
      isOptional: true,
    },
  },
}

const members: Members = {
  ListUsers: {
    IdentityStoreId: store,
    Filters: { each: { members: attribute }, least: 0, most: 1, isOptional: true },
    ...paged,
  },
  DescribeUser: { IdentityStoreId: store, UserId: resourceId },
  GetUserId: { IdentityStoreId: store, AlternateIdentifier: alternate },
  ListGroups: { IdentityStoreId: store, ...paged },
  DescribeGroup: { IdentityStoreId: store, GroupId: resourceId },
  ListGroupMemberships: { IdentityStoreId: store, GroupId: resourceId, ...paged },
  GetGroupMembershipId: { IdentityStoreId: store, GroupId: resourceId, MemberId: member },
  IsMemberInGroups: {
    IdentityStoreId: store,
    MemberId: member,
    GroupIds: { each: resourceId, least: 1, most: 100 },
  },
  CreateGroupMembership: { IdentityStoreId: store, GroupId: resourceId, MemberId: member },
  DeleteGroupMembership: { IdentityStoreId: store, MembershipId: resourceId },
}

export function createIdentityStore(deps: CenterDeps): IdentityStoreDouble {
  const pager = createPager(() => invalid('the token is of no such list'))
  return {
    answer: (caller, region, operation, input) => {
      const [expected, answer] = [members[operation], answers[operation]]
      if (!expected || !answer) throw new AwsFault('UnknownOperationException', 400, operation)
      checkInput(input, expected)
      const given = input as unknown as Given
      const { IdentityStoreId: id, NextToken: token, MaxResults: size = 100 } = given
      const action = `identitystore:${operation}`
      permit(deps, caller, action, `arn:aws:identitystore::${caller.account}:identitystore/${id}`)
      const center = deps.world.identityCenter
      if (center?.region !== region || center.identityStoreId !== id) throw notFound('IDENTITY_STORE')
      countCall(center, deps.now())
      for (const resource of resourcesOf(center, operation, given))
        permit(deps, caller, action, `arn:aws:identitystore:::${resource}`)
      mayAdminister(center, caller, operation)
      const list = `${caller.account} ${operation} ${given.GroupId} ${JSON.stringify(given.Filters)}`
      const ask = { list, token, size: Math.min(size, center.pageSize), hasEmptyPages: center.hasEmptyPages }
      return answer({ deps, center, caller, input: given, page: (items, keyOf) => pager(ask, items, keyOf) })
    },
  }
}

/** What else calls of single members are on (Service Authorization Reference). */
function resourcesOf(center: IdentityCenter, operation: string, given: Given): string[] {
  if (!/GroupMembership(Id)?$/.test(operation)) return []
  const place = given.MembershipId === undefined ? undefined : placeOf(center, given.MembershipId)
  const group = given.GroupId ?? place?.group.id
  const user = given.MemberId?.UserId ?? place?.member.userId
  return [
    ...(group === undefined ? [] : [`group/${group}`]),
    ...(user === undefined ? [] : [`user/${user}`]),
    ...(given.MembershipId === undefined ? [] : [`membership/${given.MembershipId}`]),
  ]
}

function placeOf({ groups }: IdentityCenter, membership: string) {
  for (const group of groups)
    for (const one of group.members) if (one.membershipId === membership) return { group, member: one }
  return undefined
}

const answers: Readonly<Record<string, (ask: StoreAsk) => object>> = {
  ListUsers: ({ center, input, page }) => {
    const [filter] = input.Filters ?? []
    if (filter && filter.AttributePath !== 'UserName') throw invalid('the attribute cannot be filtered by')
    const wanted = filter === undefined ? center.users : center.users.filter(named(filter.AttributeValue))
    const { items, ...more } = page(wanted, ({ id }) => id)
    return { Users: items.map((one) => toUser(center, one)), ...more }
  },
  DescribeUser: ({ center, input }) => toUser(center, userOf(center, input.UserId)),
  GetUserId: ({ center, input }) => {
    const { UniqueAttribute: unique, ExternalId: external } = input.AlternateIdentifier ?? {}
    const found = center.users.find((one) => {
      if (external) return external.Issuer === issuer && one.externalId === external.Id
      const { AttributePath: path, AttributeValue: value = '' } = unique ?? {}
      if (path?.toLowerCase() === 'username') return named(value)(one)
      if (path?.toLowerCase() === 'emails.value') return one.email?.toLowerCase() === value.toLowerCase()
      throw invalid('users are not unique by this attribute')
    })
    if (!found) throw notFound('USER')
    return { IdentityStoreId: center.identityStoreId, UserId: found.id }
  },
  ListGroups: ({ center, page }) => {
    const { items, ...more } = page(center.groups, ({ id }) => id)
    return { Groups: items.map((one) => toGroup(center, one)), ...more }
  },
  DescribeGroup: ({ center, input }) => toGroup(center, groupOf(center, input.GroupId)),
  ListGroupMemberships: ({ center, input, page }) => {
    const { id: GroupId, members } = groupOf(center, input.GroupId)
    const { items, ...more } = page(members, ({ membershipId }) => membershipId)
    const GroupMemberships = items.map(({ membershipId, userId }) => ({
      IdentityStoreId: center.identityStoreId,
      MembershipId: membershipId,
      GroupId,
      MemberId: { UserId: userId },
    }))
    return { GroupMemberships, ...more }
  },
  GetGroupMembershipId: ({ center, input }) => {
    const group = groupOf(center, input.GroupId)
    const { id } = userOf(center, input.MemberId?.UserId)
    const found = group.members.find(({ userId }) => userId === id)
    if (!found) throw notFound('GROUP_MEMBERSHIP')
    return { IdentityStoreId: center.identityStoreId, MembershipId: found.membershipId }
  },
  IsMemberInGroups: ({ center, input }) => {
    const { id } = userOf(center, input.MemberId?.UserId)
    const Results = (input.GroupIds ?? []).map((GroupId) => ({
      GroupId,
      MemberId: { UserId: id },
      MembershipExists: groupOf(center, GroupId).members.some(({ userId }) => userId === id),
    }))
    return { Results }
  },
  CreateGroupMembership: ({ center, input }) => {
    const group = groupOf(center, input.GroupId)
    const { id: userId } = userOf(center, input.MemberId?.UserId)
    if (group.members.some((one) => one.userId === userId))
      throw new AwsFault('ConflictException', 400, 'Member and Group relationship already exists.')
    const membershipId = `${center.identityStoreId.slice(2)}-${randomUUID()}`
    group.members.push({ membershipId, userId })
    return { IdentityStoreId: center.identityStoreId, MembershipId: membershipId }
  },
  DeleteGroupMembership: ({ center, input }) => {
    const place = placeOf(center, input.MembershipId ?? '')
    if (!place) throw notFound('GROUP_MEMBERSHIP')
    place.group.members = place.group.members.filter((one) => one !== place.member)
    return {}
  },
}

function named(value: string): (user: IdentityCenterUser) => boolean {
  return ({ userName }) => userName.toLowerCase() === value.toLowerCase()
}

function userOf({ users }: IdentityCenter, id: string | undefined): IdentityCenterUser {
  const found = users.find((one) => one.id === id)
  if (!found) throw notFound('USER')
  return found
}

function groupOf({ groups }: IdentityCenter, id: string | undefined): IdentityCenterGroup {
  const found = groups.find((one) => one.id === id)
  if (!found) throw notFound('GROUP')
  return found
}

function toUser({ identityStoreId }: IdentityCenter, user: IdentityCenterUser): object {
  const { id: UserId, userName, displayName, email, isEnabled, externalId } = user
  return {
    IdentityStoreId: identityStoreId,
    UserId,
    UserName: userName,
    DisplayName: displayName,
    UserStatus: isEnabled ? 'ENABLED' : 'DISABLED',
    ...(email === null ? {} : { Emails: [{ Value: email, Type: 'work', Primary: true }] }),
    ...external(externalId),
  }
}

function toGroup({ identityStoreId }: IdentityCenter, group: IdentityCenterGroup): object {
  const { id: GroupId, name, description, externalId } = group
  return {
    IdentityStoreId: identityStoreId,
    GroupId,
    DisplayName: name,
    ...(description === '' ? {} : { Description: description }),
    ...external(externalId),
  }
}

const issuer = 'https://scim.example.com'

/** As a provider that pushes users and groups leaves them. */
function external(externalId: string | null): object {
  return externalId === null ? {} : { ExternalIds: [{ Issuer: issuer, Id: externalId }] }
}

function notFound(type: 'USER' | 'GROUP' | 'GROUP_MEMBERSHIP' | 'IDENTITY_STORE'): AwsFault {
  const message = `${type} not found.`
  return new AwsFault('ResourceNotFoundException', 400, message, message, { ResourceType: type })
}
