import type { RoleToTry } from '../../catalog/role-to-try.ts'
import type { RdsTarget } from './target.ts'

/** The role that signs in, and the one that opens tunnels. */
export function rdsRoles({ role, via }: Pick<RdsTarget, 'role' | 'via'>): RoleToTry[] {
  const common = { hasSourceIdentity: true, hasTransitiveTags: false }
  return [{ arn: role, ...common }, ...(via.length > 0 ? [{ arn: null, isReach: true, ...common }] : [])]
}
