import { groupPushPolicies } from '../../aws/identity-center/push-policies.ts'
import type { Kind } from '../../catalog/kind.ts'
import { identityCenterImports } from '../identity-center/imports.ts'
import { type GroupTarget, groupTarget } from './target.ts'

/** A group of IAM Identity Center. One made anew under the same name has another id. */
export const identityCenterGroup: Kind<GroupTarget> = {
  name: 'identity-center-group',
  id: 'global',
  target: groupTarget,
  imports: identityCenterImports,
  policies: [groupPushPolicies],
  pushed: ({ id, identityStore }) =>
    identityStore === null ? {} : { identityStores: identityStore, pushedGroups: id },
  features: ({ identityStore }, hasLevels) => (hasLevels && identityStore !== null ? ['push-groups'] : []),
  targetId: ({ id }) => id,
  shown: ({ title, members, assignments, isExternal }) => ({
    ...(title === null ? {} : { title }),
    ...(members === null ? {} : { members: String(members) }),
    ...(assignments === null ? {} : { assignments: String(assignments) }),
    ...(isExternal === true ? { source: 'another provider' } : {}),
  }),
}
