import type { Kind } from '../../catalog/kind.ts'
import { parseLevel, type RoleLevel } from './level.ts'
import { parseTarget, type RoleTarget } from './target.ts'

export const iamRole: Kind<RoleTarget, RoleLevel> = {
  name: 'iam-role',
  parseTarget,
  parseLevel,
  roles: ({ roleArn: arn, hasSourceIdentity, hasTransitiveTags }) => [{ arn, hasSourceIdentity, hasTransitiveTags }],
}
