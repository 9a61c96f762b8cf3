import { escalationOf } from '../../../proxy/kubernetes/escalation.ts'
import type { Problem, Surroundings } from '../../catalog/kind.ts'
import { viaLimits } from '../reach/via.ts'
import type { ClusterLevel } from './level.ts'
import type { ClusterTarget } from './target.ts'

/** What an approver should know. @returns sentences */
export function clusterLimits(
  { account, cluster, via }: Pick<ClusterTarget, 'account' | 'cluster' | 'via'>,
  { rules, recordsInput }: Pick<ClusterLevel, 'rules' | 'recordsInput'>,
  { aws }: Surroundings,
): string[] {
  const found = escalationOf(rules)
  const more = found && `This level amounts to ${found.amountsTo} on ${cluster}: ${found.why.join('; ')}.`
  const typed = 'What is typed into containers is recorded, passwords included.'
  const personal = `Account ${account} takes ID tokens: a person who gets hold of their own can reach the cluster without the broker, where its network lets them, with no grant and no recording.`
  return [
    ...(more ? [more] : []),
    ...viaLimits(via),
    'When the access ends, streams to containers are cut; a program that was started there may run on.',
    ...(recordsInput ? [typed] : []),
    ...(aws.accounts[account]?.trust === 'web_identity' ? [personal] : []),
  ]
}

/** The same for those who write the level. */
export function clusterExceeds({ rules }: Pick<ClusterLevel, 'rules'>): Problem[] {
  const found = escalationOf(rules)
  if (!found) return []
  const fix = 'keep it for those who are to have that, or narrow its verbs, resources and namespaces'
  return [{ path: 'rules', message: `amounts to ${found.amountsTo}: ${found.why.join('; ')}`, fix }]
}
