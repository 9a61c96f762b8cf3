import { iamRole } from './iam-role/kind.ts'
import { rdsPostgres } from './rds-postgres/kind.ts'

/** Every kind of resource this build knows. */
export const kinds = [iamRole, rdsPostgres] as const
