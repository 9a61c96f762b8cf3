import { formatDuration } from '../../../proxy/duration.ts'
import { permissionSetPushPolicies } from '../../aws/identity-center/push-policies.ts'
import type { Kind } from '../../catalog/kind.ts'
import { identityCenterImports } from '../identity-center/imports.ts'
import { type PermissionSetTarget, permissionSetTarget } from './target.ts'

/**
 * A permission set of IAM Identity Center in one account: what is assigned is the pair. A set made anew under the same name is another
 * one, though the role that it has in the account looks the same.
 */
export const permissionSet: Kind<PermissionSetTarget> = {
  name: 'permission-set',
  id: 'account',
  target: permissionSetTarget,
  imports: identityCenterImports,
  policies: [permissionSetPushPolicies],
  pushed: ({ account, arn, name }) => {
    const set = arn === null ? null : arn.slice(arn.indexOf('/') + 1)
    return set === null
      ? {}
      : {
          identityCenters: set.slice(0, set.indexOf('/')),
          pushedPermissionSets: set,
          pushedPermissionSetNames: name,
          pushedAccounts: account,
        }
  },
  features: ({ arn }, hasLevels) => (hasLevels && arn !== null ? ['push-permission-sets'] : []),
  targetId: ({ arn }) => arn?.slice(arn.lastIndexOf(':') + 1) ?? '',
  shown: ({ title, sessionMs, isProvisioned, standing, policies }) => ({
    ...(title === null ? {} : { title }),
    ...(sessionMs === null ? {} : { session: formatDuration(sessionMs) }),
    ...(isProvisioned === null ? {} : { provisioned: isProvisioned ? 'yes' : 'no' }),
    ...(standing === null ? {} : { standing: `${standing.groups} groups, ${standing.people} people` }),
    ...(policies === null || policies.length === 0 ? {} : { policies: policies.map(lastPart).join(', ') }),
  }),
}

function lastPart(policy: string): string {
  return policy.slice(policy.lastIndexOf('/') + 1)
}
