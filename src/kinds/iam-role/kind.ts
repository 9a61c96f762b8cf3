import type { Kind } from '../../catalog/kind.ts'
import { type RoleLevel, roleLevel } from './level.ts'
import { type RoleTarget, roleTarget } from './target.ts'

export const iamRole: Kind<RoleTarget, RoleLevel> = {
  name: 'iam-role',
  id: 'account',
  target: roleTarget,
  level: roleLevel,
  roles: ({ roleArn: arn, hasSourceIdentity, hasTransitiveTags }) => [{ arn, hasSourceIdentity, hasTransitiveTags }],
}
