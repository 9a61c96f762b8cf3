import type { Kind } from '../kind.ts'
import { parseLevel, type RdsLevel } from './level.ts'
import { parseTarget, type RdsTarget } from './target.ts'

export const rdsPostgres: Kind<RdsTarget, RdsLevel> = {
  name: 'rds-postgres',
  parseTarget,
  parseLevel,
  roles: ({ role }) => (role === null ? [] : [{ arn: role, hasSourceIdentity: true, hasTransitiveTags: false }]),
}
