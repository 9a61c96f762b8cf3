import { type ClusterLevel, clusterLevel } from '../../../../src/kinds/eks-cluster/level.ts'

/** What a level of the configuration means. @throws Error with its problems */
export function readLevel(members: object): ClusterLevel {
  const level = clusterLevel.read({ role: '{cluster}-view', ...members })
  if (!level.ok) throw new Error(JSON.stringify(level.problems))
  return level.value
}
