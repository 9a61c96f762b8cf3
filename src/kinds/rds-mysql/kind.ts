import type { RequestableKind } from '../../catalog/kind.ts'
import { databaseCommands } from '../rds/commands.ts'
import { rdsLimits, shownRole } from '../rds/endpoint.ts'
import { mysqlUsers } from '../rds/engine-users.ts'
import { rdsMeans } from '../rds/means.ts'
import { personalUsers } from '../rds/personal-users.ts'
import { rdsFeatures, rdsPolicies, rdsPolicyValues } from '../rds/policies.ts'
import { isReading } from '../rds/prepare.ts'
import { rdsRoles } from '../rds/roles.ts'
import { shownFacts } from '../rds/seen.ts'
import { type RdsTarget, rdsTarget } from '../rds/target.ts'
import { type MysqlLevel, mysqlLevel } from './level.ts'
import { prepareMysql } from './prepare.ts'

export const rdsMysql: RequestableKind<RdsTarget, MysqlLevel> = {
  name: 'rds-mysql',
  id: 'regional',
  protocol: 'mysql',
  target: rdsTarget({ port: 3306 }),
  targetId: ({ resourceId }) => resourceId,
  level: mysqlLevel,
  personal: personalUsers(mysqlUsers),
  shown: ({ database, endpoint, seen }) => ({
    ...(database === '' ? {} : { database }),
    ...shownRole(endpoint),
    ...shownFacts(seen),
  }),
  means: rdsMeans,
  readsOnly: ({ readOnly }, name) => readOnly || isReading(name),
  commands: databaseCommands('mysql'),
  limits: rdsLimits,
  sessionMs: ({ budget }) => budget?.ms || null,
  roles: rdsRoles,
  policies: rdsPolicies,
  policyValues: rdsPolicyValues,
  prepare: prepareMysql,
  features: rdsFeatures,
}
