import { formatDuration } from '../../../proxy/duration.ts'
import { permissionSetPushPolicies } from '../../aws/identity-center/push-policies.ts'
import type { RequestableKind } from '../../catalog/kind.ts'
import { identityCenterImports } from '../identity-center/imports.ts'
import { type PermissionSetLevel, permissionSetLevel } from './level.ts'
import { permissionSetMeans } from './means.ts'
import { type PermissionSetTarget, permissionSetTarget } from './target.ts'

/**
 * A permission set of IAM Identity Center in one account: what is assigned is the pair. A set made anew under the same name is another
 * one, though the role that it has in the account looks the same.
 */
export const permissionSet: RequestableKind<PermissionSetTarget, PermissionSetLevel> = {
  name: 'permission-set',
  id: 'account',
  target: permissionSetTarget,
  level: permissionSetLevel,
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
  outlivesMs: ({ sessionMs }) => sessionMs,
  means: permissionSetMeans,
  commands: (_level, _target, { name, options }) => [
    { title: 'the access portal', words: ['sallyport', 'aws', 'console', name, ...options] },
    { title: 'profiles in ~/.aws/config', words: ['sallyport', 'aws', 'configure'] },
  ],
  limits: ({ account, name, sessionMs, standing }) => [
    sessionMs === null
      ? `Sessions of ${name} go on when the access is taken away, for as long as the permission set says.`
      : `Sessions of ${name} last ${formatDuration(sessionMs)}, also when the access is taken away meanwhile.`,
    ...(standing !== null && standing.groups + standing.people === 0
      ? [
          `Nobody has ${name} in account ${account} at all times: its role is deleted with the last assignment and made anew with another name, so policies and clusters that name the role no longer match.`,
        ]
      : []),
  ],
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
