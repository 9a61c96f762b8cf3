import type { TaggedLevels } from '../../catalog/kind.ts'
import type { RoleLevel } from './level.ts'
import { sessionPolicy } from './session-policy.ts'

/** Session tags of the organization's own choosing. */
export const roleTags: TaggedLevels<RoleLevel> = {
  templatesOf: ({ sessionTags }) => (Object.keys(sessionTags).length === 0 ? null : sessionTags),
  fill: (level, sessionTags) => ({ ...level, sessionTags }),
  // as long as near the end of a grant, and at its end since 1970
  packedWith: (level) => ({ policy: sessionPolicy(level, 0), policyArns: level.policyArns }),
}
