import type { RequestableKind } from '../../catalog/kind.ts'
import { databaseCommands } from '../rds/commands.ts'
import { rdsLimits, shownRole } from '../rds/endpoint.ts'
import { postgresUsers } from '../rds/engine-users.ts'
import type { RdsLevel } from '../rds/level.ts'
import { rdsMeans } from '../rds/means.ts'
import { personalUsers } from '../rds/personal-users.ts'
import { rdsFeatures, rdsPolicies, rdsPolicyValues } from '../rds/policies.ts'
import { isReading } from '../rds/prepare.ts'
import { rdsRoles } from '../rds/roles.ts'
import { shownFacts } from '../rds/seen.ts'
import { type RdsTarget, rdsTarget } from '../rds/target.ts'
import { postgresLevel } from './level.ts'
import { preparePostgres } from './prepare.ts'

export const rdsPostgres: RequestableKind<RdsTarget, RdsLevel> = {
  name: 'rds-postgres',
  id: 'regional',
  protocol: 'postgres',
  target: rdsTarget({ port: 5432, database: 'postgres' }),
  targetId: ({ resourceId }) => resourceId,
  level: postgresLevel,
  personal: personalUsers(postgresUsers),
  shown: ({ database, endpoint, seen }) => ({ database, ...shownRole(endpoint), ...shownFacts(seen) }),
  means: rdsMeans,
  readsOnly: (_level, name) => isReading(name),
  commands: databaseCommands('psql'),
  limits: rdsLimits,
  sessionMs: ({ budget }) => budget?.ms || null,
  roles: rdsRoles,
  policies: rdsPolicies,
  policyValues: rdsPolicyValues,
  prepare: preparePostgres,
  features: rdsFeatures,
}
