import type { KindModule } from '../module.ts'
import { permissionSet as kind } from './kind.ts'
import type { PermissionSetLevel } from './level.ts'
import type { PermissionSetTarget } from './target.ts'

/** Permission sets of IAM Identity Center, assigned to a person while a grant lives. */
export const permissionSet: KindModule<PermissionSetTarget, PermissionSetLevel> = {
  ...kind,
  discoveries: async (parts) => [(await import('./discovery.ts')).identityCenterDiscovery(parts)],
  start: async (parts) => {
    const { atHome } = await import('../identity-center/at-home.ts')
    return { push: atHome(parts, ({ permissionSets }) => permissionSets) }
  },
}
