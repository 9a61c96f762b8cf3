import type { Kind } from '../../catalog/kind.ts'
import { parseLevel, type RdsLevel } from '../rds/level.ts'
import { parseTarget, type RdsTarget } from '../rds/target.ts'

export const rdsPostgres: Kind<RdsTarget, RdsLevel> = {
  name: 'rds-postgres',
  parseTarget,
  parseLevel,
  roles: ({ role: arn }) => [{ arn, hasSourceIdentity: true, hasTransitiveTags: false }],
}
