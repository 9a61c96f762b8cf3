import { escalationOf } from '../../../proxy/kubernetes/escalation.ts'
import type { Surroundings } from '../../catalog/kind.ts'
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
