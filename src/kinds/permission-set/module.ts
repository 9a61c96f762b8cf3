import type { KindModule } from '../module.ts'
import { permissionSet as kind } from './kind.ts'
import type { PermissionSetTarget } from './target.ts'

/** Permission sets of IAM Identity Center. */
export const permissionSet: KindModule<PermissionSetTarget> = {
  ...kind,
  discoveries: async (parts) => [(await import('./discovery.ts')).identityCenterDiscovery(parts)],
}
