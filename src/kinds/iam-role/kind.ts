import { formatDuration } from '../../../proxy/duration.ts'
import { stsLimits } from '../../aws/aws.ts'
import type { Problem, RequestableKind } from '../../catalog/kind.ts'
import { type RoleLevel, roleLevel } from './level.ts'
import { roleMeans } from './means.ts'
import { rolePolicies } from './policies.ts'
import { roleTags } from './tags.ts'
import { type RoleManager, type RoleTarget, roleTarget } from './target.ts'

export const iamRole: RequestableKind<RoleTarget, RoleLevel> = {
  name: 'iam-role',
  id: 'account',
  target: roleTarget,
  targetId: ({ roleId, roleArn }) => roleId ?? roleArn,
  level: roleLevel,
  tagged: roleTags,
  check: ({ account, isRevocable }, { aws }) =>
    isRevocable && aws.accounts[account]?.trust === 'web_identity' ? [noTagToDenyBy(account)] : [],
  ungrantable: ({ managedBy }) => (managedBy === null ? null : managers[managedBy]),
  shown: ({ managedBy, lacking, lastUsed }) => ({
    ...(managedBy === null ? {} : { 'managed by': managedBy }),
    ...(managedBy === null && lacking.length > 0 ? { 'trust lacks': lacking.join(', ') } : {}),
    ...(lastUsed === null ? {} : { 'last used': lastUsed }),
  }),
  means: roleMeans,
  commands: (_level, _target, { name, options }) => [
    {
      title: 'AWS CLI',
      words: ['sallyport', 'aws', 'exec', name, ...options, '--', 'aws', 'sts', 'get-caller-identity'],
    },
    { title: 'console', words: ['sallyport', 'aws', 'console', name, ...options] },
    { title: 'variables for a shell', words: ['sallyport', 'aws', 'env', name, ...options] },
    { title: 'profiles in ~/.aws/config', words: ['sallyport', 'aws', 'configure'] },
  ],
  limits: ({ account, maxSessionMs }, { sessionMs, sessionTags }, { aws }) => {
    const isPersonal = aws.accounts[account]?.trust === 'web_identity'
    const longestMs = isPersonal ? maxSessionMs : Math.min(maxSessionMs, stsLimits.chainedMs)
    const why = isPersonal ? 'the role allows no more (max_session)' : 'AWS lets chained sessions live no longer'
    return [
      ...(sessionMs !== null && sessionMs > longestMs
        ? [`The level says ${formatDuration(sessionMs)}, and credentials last ${formatDuration(longestMs)}: ${why}.`]
        : []),
      ...(isPersonal && Object.keys(sessionTags).length > 0
        ? [
            `Account ${account} trusts web_identity, where the broker cannot set session tags: sessions of this level are refused.`,
          ]
        : []),
    ]
  },
  roles: ({ roleArn: arn, hasSourceIdentity, hasTransitiveTags, maxSessionMs: longestMs, managedBy, lacking }) =>
    // What the trust policy is known not to allow need not be tried.
    managedBy !== null || lacking.includes('sts:AssumeRole')
      ? []
      : [{ arn, hasSourceIdentity, hasTransitiveTags, longestMs }],
  policies: rolePolicies,
  features: ({ isRevocable }) => ['roles', ...(isRevocable ? ['revocation'] : [])],
}

const managers: Readonly<Record<RoleManager, string>> = {
  'identity-center': 'it is managed by Identity Center, which gives it to those that a permission set is assigned to',
  aws: 'it is managed by AWS',
  sallyport: 'it is a role of the broker itself',
}

/** Sessions from a person's own token carry no tags of ours. */
function noTagToDenyBy(account: string): Problem {
  return {
    path: 'revocable',
    message: `account ${account} trusts web_identity, whose sessions carry no tag to deny them by`,
    fix: 'remove it, or let the account trust the hub',
  }
}
