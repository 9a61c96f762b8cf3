import type { Problem, RequestableKind } from '../../catalog/kind.ts'
import { type RoleLevel, roleLevel } from './level.ts'
import { rolePolicies } from './policies.ts'
import { type RoleTarget, roleTarget } from './target.ts'

export const iamRole: RequestableKind<RoleTarget, RoleLevel> = {
  name: 'iam-role',
  id: 'account',
  target: roleTarget,
  targetId: ({ roleArn }) => roleArn,
  level: roleLevel,
  check: ({ account, isRevocable }, { aws }) =>
    isRevocable && aws.accounts[account]?.trust === 'web_identity' ? [noTagToDenyBy(account)] : [],
  roles: ({ roleArn: arn, hasSourceIdentity, hasTransitiveTags }) => [{ arn, hasSourceIdentity, hasTransitiveTags }],
  policies: rolePolicies,
  features: ({ isRevocable }) => ['roles', ...(isRevocable ? ['revocation'] : [])],
}

/** Sessions from a person's own token carry no tags of ours. */
function noTagToDenyBy(account: string): Problem {
  return {
    path: 'revocable',
    message: `account ${account} trusts web_identity, whose sessions carry no tag to deny them by`,
    fix: 'remove it, or let the account trust the hub',
  }
}
