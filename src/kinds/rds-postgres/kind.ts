import type { Kind } from '../kind.ts'
import { parseLevel, type RdsLevel } from './level.ts'
import { parseTarget, type RdsTarget } from './target.ts'

export const rdsPostgres: Kind<RdsTarget, RdsLevel> = {
  name: 'rds-postgres',
  parseTarget,
  parseLevel,
  roles: ({ role: arn }) => [{ arn, hasSourceIdentity: true, hasTransitiveTags: false }],
}
