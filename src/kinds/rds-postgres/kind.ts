import type { Kind } from '../../catalog/kind.ts'
import { type RdsLevel, rdsLevel } from '../rds/level.ts'
import { rdsPolicies } from '../rds/policies.ts'
import { checkTrust, type RdsTarget, rdsTarget } from '../rds/target.ts'

export const rdsPostgres: Kind<RdsTarget, RdsLevel> = {
  name: 'rds-postgres',
  id: 'regional',
  protocol: 'postgres',
  target: rdsTarget({ port: 5432, database: 'postgres' }),
  level: rdsLevel,
  check: checkTrust,
  shown: ({ database }) => ({ database }),
  roles: ({ role: arn }) => [{ arn, hasSourceIdentity: true, hasTransitiveTags: false }],
  policies: rdsPolicies,
  features: () => ['databases'],
}
