import { groupPushPolicies } from '../../aws/identity-center/push-policies.ts'
import type { RequestableKind } from '../../catalog/kind.ts'
import { identityCenterImports } from '../identity-center/imports.ts'
import { type GroupLevel, groupLevel } from './level.ts'
import { groupMeans } from './means.ts'
import { type GroupTarget, groupTarget } from './target.ts'

/** A group of IAM Identity Center. One made anew under the same name has another id. */
export const identityCenterGroup: RequestableKind<GroupTarget, GroupLevel> = {
  name: 'identity-center-group',
  id: 'global',
  target: groupTarget,
  level: groupLevel,
  imports: identityCenterImports,
  policies: [groupPushPolicies],
  pushed: ({ id, identityStore }) =>
    identityStore === null ? {} : { identityStores: identityStore, pushedGroups: id },
  features: ({ identityStore }, hasLevels) => (hasLevels && identityStore !== null ? ['push-groups'] : []),
  givesGroups: ({ id, title }) => [`idc:${id}`, ...(title === null ? [] : [`idc:${title}`])],
  targetId: ({ id }) => id,
  outlivesMs: () => null,
  means: groupMeans,
  limits: ({ assignments }) =>
    assignments === 0
      ? []
      : [
          'Sessions of the permission sets that the group has go on when the access is taken away, for as long as each set says.',
        ],
  shown: ({ title, members, assignments, isExternal }) => ({
    ...(title === null ? {} : { title }),
    ...(members === null ? {} : { members: String(members) }),
    ...(assignments === null ? {} : { assignments: String(assignments) }),
    ...(isExternal === true ? { source: 'another provider' } : {}),
  }),
}
