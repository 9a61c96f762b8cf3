import type { KindModule } from '../module.ts'
import type { RdsLevel } from '../rds/level.ts'
import type { RdsTarget } from '../rds/target.ts'
import { rdsPostgres as kind } from './kind.ts'

/** PostgreSQL on RDS and Aurora. */
export const rdsPostgres: KindModule<RdsTarget, RdsLevel> = {
  ...kind,
  discoveries: async (parts) => (await import('../rds/discovery.ts')).databaseDiscoveries(parts),
  start: async (parts) => (await import('./start.ts')).start(parts),
}
