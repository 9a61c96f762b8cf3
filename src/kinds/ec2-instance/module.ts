import type { KindModule } from '../module.ts'
import { ec2Instance as kind } from './kind.ts'
import type { InstanceLevel } from './level.ts'
import type { InstanceTarget } from './target.ts'

/** EC2 instances, over Session Manager. */
export const ec2Instance: KindModule<InstanceTarget, InstanceLevel> = {
  ...kind,
  discoveries: async (parts) => (await import('./discovery.ts')).instanceDiscoveries(parts),
  start: async (parts) => (await import('./start.ts')).start(parts),
}
