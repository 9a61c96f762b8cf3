import type { KindModule } from '../module.ts'
import { eksCluster as kind } from './kind.ts'
import type { ClusterLevel } from './level.ts'
import type { ClusterTarget } from './target.ts'

/** EKS clusters, by HTTP at the broker's own address. */
export const eksCluster: KindModule<ClusterTarget, ClusterLevel> = {
  ...kind,
  discoveries: async (parts) => (await import('./discovery.ts')).clusterDiscoveries(parts),
  start: async (parts) => (await import('./start.ts')).start(parts),
  carry: async (parts) => (await import('./carry.ts')).carry(parts),
}
