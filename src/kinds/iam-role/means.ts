import { formatDuration } from '../../../proxy/duration.ts'
import type { MeaningLine } from '../../catalog/kind.ts'
import type { RoleLevel } from './level.ts'
import type { RoleTarget } from './target.ts'

/** What a level gives of a role. */
export function roleMeans(
  { sessionPolicy, policyArns, sessionTags, sessionMs }: RoleLevel,
  { roleArn }: Pick<RoleTarget, 'roleArn'>,
): MeaningLine[] {
  const isWhole = sessionPolicy === null && policyArns.length === 0
  return [
    { label: 'role', value: roleArn },
    {
      label: 'allows',
      value: isWhole ? 'all that the role may do' : 'of what the role may do, only what these allow too',
    },
    ...policyArns.map((value) => ({ label: 'policy', value })),
    ...(sessionPolicy === null ? [] : [{ label: 'session policy', value: sessionPolicy }]),
    ...Object.entries(sessionTags).map(([key, value]) => ({ label: `session tag ${key}`, value })),
    ...(sessionMs === null ? [] : [{ label: 'one set of credentials', value: `${formatDuration(sessionMs)} at most` }]),
  ]
}
