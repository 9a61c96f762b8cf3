import type { KubernetesRule } from '../../../proxy/kubernetes/rules.ts'
import type { MeaningLine } from '../../catalog/kind.ts'
import { budgetMeans } from '../session-members.ts'
import { roleArn } from './lease.ts'
import type { ClusterLevel } from './level.ts'
import type { ClusterTarget } from './target.ts'

/** What a level gives in a cluster. The groups of Kubernetes are those of the role there, which the cluster alone knows. */
export function clusterMeans(
  { role, rules, budget }: Pick<ClusterLevel, 'role' | 'rules' | 'budget'>,
  target: Pick<ClusterTarget, 'partition' | 'account' | 'cluster'>,
): MeaningLine[] {
  return [
    { label: 'role in AWS', value: roleArn(target, { role }) },
    ...rules.map((rule) => ({ label: 'allows', value: ruleText(rule) })),
    ...budgetMeans(budget),
  ]
}

/** `get, list of pods, pods/log in shop` */
function ruleText({ verbs, groups, resources, namespaces, names }: KubernetesRule): string {
  const all = (list: readonly string[], every: string) => (list.includes('*') ? every : list.join(', '))
  const of = groups.every((group) => group === '' || group === '*')
    ? ''
    : ` (${groups.map((group) => group || 'core').join(', ')})`
  const where = namespaces.includes('*') ? 'everywhere' : `in ${namespaces.join(', ')}`
  const named = names === null ? '' : `, named ${names.join(', ')}`
  return `${all(verbs, 'everything')} of ${all(resources, 'all resources')}${of} ${where}${named}`
}
