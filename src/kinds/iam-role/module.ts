import type { KindModule } from '../module.ts'
import { iamRole as kind } from './kind.ts'
import type { RoleLevel } from './level.ts'
import type { RoleTarget } from './target.ts'

/** Tagged STS sessions of IAM roles. */
export const iamRole: KindModule<RoleTarget, RoleLevel> = {
  ...kind,
  discoveries: async (parts) => (await import('./discovery.ts')).roleDiscoveries(parts),
  start: async (parts) => (await import('./start.ts')).start(parts),
}
