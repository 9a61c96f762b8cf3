import type { Kind } from '../../catalog/kind.ts'
import { rdsPolicies } from '../rds/policies.ts'
import { checkTrust, type RdsTarget, rdsTarget } from '../rds/target.ts'
import { type MysqlLevel, mysqlLevel } from './level.ts'
import { prepareMysql } from './prepare.ts'

export const rdsMysql: Kind<RdsTarget, MysqlLevel> = {
  name: 'rds-mysql',
  id: 'regional',
  protocol: 'mysql',
  target: rdsTarget({ port: 3306 }),
  level: mysqlLevel,
  check: checkTrust,
  shown: ({ database }): Record<string, string> => (database === '' ? {} : { database }),
  roles: ({ role: arn }) => [{ arn, hasSourceIdentity: true, hasTransitiveTags: false }],
  policies: rdsPolicies,
  prepare: prepareMysql,
  features: () => ['databases'],
}
