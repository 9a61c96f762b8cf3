import type { KindModule } from '../module.ts'
import type { RdsTarget } from '../rds/target.ts'
import { rdsMysql as kind } from './kind.ts'
import type { MysqlLevel } from './level.ts'

/** MySQL and MariaDB on RDS, and Aurora MySQL. */
export const rdsMysql: KindModule<RdsTarget, MysqlLevel> = {
  ...kind,
  start: async (parts) => (await import('./start.ts')).start(parts),
}
