import type { RequestableKind } from '../../catalog/kind.ts'
import { shownFacts } from './facts.ts'
import { type ClusterLevel, clusterLevel } from './level.ts'
import { clusterExceeds, clusterLimits } from './limits.ts'
import { clusterMeans } from './means.ts'
import { clusterPolicies } from './policies.ts'
import { prepareCluster } from './prepare.ts'
import { type ClusterTarget, clusterTarget } from './target.ts'

const readingVerbs: readonly string[] = ['get', 'list', 'watch']

export const eksCluster: RequestableKind<ClusterTarget, ClusterLevel> = {
  name: 'eks-cluster',
  id: 'regional',
  protocol: 'kubernetes',
  target: clusterTarget,
  targetId: ({ endpoint }) => endpoint,
  level: clusterLevel,
  exceeds: clusterExceeds,
  means: clusterMeans,
  readsOnly: ({ rules }) => rules.every(({ verbs }) => verbs.every((verb) => readingVerbs.includes(verb))),
  commands: (_level, _target, { name, options }) => [
    { title: 'kubectl, by a context of its own', words: ['sallyport', 'kube', name, ...options] },
  ],
  limits: clusterLimits,
  shown: ({ facts }) => shownFacts(facts),
  sessionMs: ({ budget }) => budget?.ms || null,
  policies: clusterPolicies,
  prepare: prepareCluster,
  features: ({ via }) => ['clusters', ...(via.length > 0 ? ['reach'] : [])],
}
