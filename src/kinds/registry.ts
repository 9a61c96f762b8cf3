import { account } from './account/module.ts'
import { ec2Instance } from './ec2-instance/module.ts'
import { eksCluster } from './eks-cluster/module.ts'
import { iamRole } from './iam-role/module.ts'
import { identityCenterGroup } from './identity-center-group/module.ts'
import type { KindModules } from './module.ts'
import { organizationalUnit } from './organizational-unit/module.ts'
import { permissionSet } from './permission-set/module.ts'
import { rdsMysql } from './rds-mysql/module.ts'
import { rdsPostgres } from './rds-postgres/module.ts'

/** Every kind of resource this build knows. */
export const kinds: KindModules = [
  iamRole,
  rdsPostgres,
  rdsMysql,
  ec2Instance,
  eksCluster,
  account,
  organizationalUnit,
  identityCenterGroup,
  permissionSet,
]
