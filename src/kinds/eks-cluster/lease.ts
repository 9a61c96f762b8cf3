import { toPlainSessionName } from '../../aws/session-names.ts'
import type { LeaseTerms } from '../leases.ts'
import type { ClusterLevel } from './level.ts'
import type { ClusterTarget } from './target.ts'
import { clusterToken } from './token.ts'

/** `GetCallerIdentity` needs no permission and cannot be denied: beyond tokens for clusters the credentials are of no use. */
const nothing = JSON.stringify({
  Version: '2012-10-17',
  Statement: [{ Effect: 'Deny', Action: '*', Resource: '*' }],
})

/** @param now epoch milliseconds */
export function clusterLease(now: () => number): LeaseTerms<ClusterTarget, ClusterLevel> {
  return {
    ask: ({ principalName }, target, level) => ({
      role: roleArn(target, level),
      policy: nothing,
      sessionName: toPlainSessionName(principalName),
    }),
    sign: (target, _, held) => clusterToken(target, held, now()),
    keyOf: ({ role }) => role,
  }
}

/** Of the role through which a level reaches a cluster, in its account. */
export function roleArn(
  { partition, account, cluster }: Pick<ClusterTarget, 'partition' | 'account' | 'cluster'>,
  { role }: Pick<ClusterLevel, 'role'>,
): string {
  return `arn:${partition}:iam::${account}:role/${role.replaceAll('{cluster}', cluster)}`
}
