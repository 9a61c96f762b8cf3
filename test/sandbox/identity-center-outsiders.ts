import { randomUUID } from 'node:crypto'
import type { AssignmentChange } from './aws/assignment.ts'
import { end, underWay } from './aws/assignment-changes.ts'
import { isSameAssignment, isSamePair } from './aws/identity-center-parts.ts'
import type { IdentityCenter } from './aws/world.ts'

/** Others who change Identity Center beside the broker, at once: administrators, Terraform, a provider by SCIM. */
export interface OutsideActor {
  assign(account: string, permissionSet: string, user: string): void
  unassign(account: string, permissionSet: string, user: string): void
  isAssigned(account: string, permissionSet: string, user: string): boolean
  /** A change of this account and permission set that is under way until it is ended. */
  change(account: string, permissionSet: string): { end(): void }
  /** Ends the changes that are under way. @param reason they fail with */
  endChanges(reason?: string): void
  /** AWS keeps finished changes for a while only. */
  forgetChanges(): void
  /** @returns id of the membership */
  join(group: string, user: string): string
  leave(group: string, user: string): void
  /** As a provider that pushes a group restores its own view of it. */
  restoreMembers(group: string, users: readonly string[]): void
  /** What is assigned to it stays. */
  deleteUser(user: string): void
  renameUser(user: string, userName: string): void
  /** Deleted and made again under the same name. @returns its new id */
  remakeUser(user: string): string
  deleteGroup(group: string): void
  renameGroup(group: string, name: string): void
  /** Deleted and made again under the same name, without members. @returns its new id */
  remakeGroup(group: string): string
}

export function outsideActor(center: IdentityCenter): OutsideActor {
  const newId = () => `${center.identityStoreId.slice(2)}-${randomUUID()}`
  const groupOf = (id: string) => found(center.groups, id)
  const assignment = (account: string, permissionSet: string, principal: string) => ({
    ...{ account, permissionSet, principal },
    type: 'USER' as const,
  })
  const isAssigned: OutsideActor['isAssigned'] = (...given) =>
    center.assignments.some((one) => isSameAssignment(one, assignment(...given)))
  const provision = (account: string, permissionSet: string) => {
    const set = found(center.permissionSets, permissionSet)
    const isUsed = center.assignments.some((one) => isSamePair(one, { account, permissionSet }))
    set.provisionedIn = [...set.provisionedIn.filter((id) => id !== account), ...(isUsed ? [account] : [])].sort()
  }
  const leaveAll = (user: string) => {
    for (const group of center.groups) group.members = group.members.filter(({ userId }) => userId !== user)
  }
  return {
    isAssigned,
    assign: (...given) => {
      if (!isAssigned(...given)) center.assignments.push(assignment(...given))
      provision(given[0], given[1])
    },
    unassign: (...given) => {
      center.assignments = center.assignments.filter((one) => !isSameAssignment(one, assignment(...given)))
      provision(given[0], given[1])
    },
    change: (account, permissionSet) => {
      const own: AssignmentChange = {
        ...assignment(account, permissionSet, newId()),
        ...{ requestId: randomUUID(), failureReason: null, askedAt: 0, pollsLeft: Number.POSITIVE_INFINITY },
        to: 'delete',
        status: 'IN_PROGRESS',
      }
      center.changes.push(own)
      return { end: () => end({}, center, own) }
    },
    endChanges: (reason) => {
      for (const change of underWay(center)) end({}, center, change, reason)
    },
    forgetChanges: () => {
      center.changes = underWay(center)
    },
    join: (group, userId) => {
      const membershipId = newId()
      groupOf(group).members.push({ membershipId, userId })
      return membershipId
    },
    leave: (id, user) => {
      const group = groupOf(id)
      group.members = group.members.filter(({ userId }) => userId !== user)
    },
    restoreMembers: (id, users) => {
      const group = groupOf(id)
      const kept = group.members.filter(({ userId }) => users.includes(userId))
      const missing = users.filter((user) => !kept.some(({ userId }) => userId === user))
      group.members = [...kept, ...missing.map((userId) => ({ membershipId: newId(), userId }))]
    },
    deleteUser: (user) => {
      leaveAll(user)
      center.users = center.users.filter(({ id }) => id !== user)
    },
    renameUser: (user, userName) => Object.assign(found(center.users, user), { userName }),
    remakeUser: (user) => {
      leaveAll(user)
      const id = newId()
      center.users = center.users.map((one) => (one.id === user ? { ...one, id } : one))
      return id
    },
    deleteGroup: (group) => {
      center.groups = center.groups.filter(({ id }) => id !== group)
    },
    renameGroup: (group, name) => Object.assign(groupOf(group), { name }),
    remakeGroup: (group) => {
      const id = newId()
      center.groups = center.groups.map((one) => (one.id === group ? { ...one, id, members: [] } : one))
      return id
    },
  }
}

function found<T extends { id: string }>(items: readonly T[], id: string): T {
  const one = items.find((item) => item.id === id)
  if (!one) throw new Error(`there is no ${id}`)
  return one
}
