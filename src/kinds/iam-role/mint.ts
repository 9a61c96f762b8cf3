import { BrokerError } from '../../../proxy/session.ts'
import { type Aws, type AwsCredentials, stsLimits } from '../../aws/aws.ts'
import type { Config } from '../../config/config.ts'
import type { Metrics } from '../../telemetry/metrics.ts'
import type { MintAsk } from './role-session.ts'
import type { RoleTarget } from './target.ts'

export interface MintDeps {
  readonly aws: Pick<Aws, 'session'>
  readonly config: Pick<Config['aws'], 'accounts'>
  readonly metrics: Pick<Metrics, 'sessionOpenSeconds'>
  /**
   * A fresh ID token of the person behind this credential, for accounts that trust nothing else.
   * @throws BrokerError LOGIN_REQUIRED with the reason
   */
  idToken(credentialId: string): Promise<string>
}

/** Asks STS for a session of the role, by the trust model of its account. */
export function createMint({ aws, config, idToken, metrics }: MintDeps) {
  const trustOf = (target: RoleTarget) => config.accounts[target.account]?.trust ?? 'hub'
  const ask = async ({ permit, credentialId, target, level, policy, until, longestMs }: MintAsk) => {
    const { partition, account, roleArn: role } = target
    const { sessionTags } = level
    if (Object.keys(sessionTags).length > 0 && trustOf(target) === 'web_identity')
      throw new BrokerError(
        'UNSUPPORTED',
        `account ${account} trusts web_identity, where the broker cannot set session tags`,
        {
          hint: 'an admin can take session_tags out of this level, or let the account trust the hub',
        },
      )
    return await aws.session({
      partition,
      account,
      role,
      person: permit.principalName,
      policy,
      policyArns: level.policyArns,
      tags: sessionTags,
      until,
      longestMs,
      grantId: permit.grantId,
      requestId: permit.requestId,
      sessionId: permit.sessionId,
      isTransitive: target.hasTransitiveTags,
      hasSourceIdentity: target.hasSourceIdentity,
      idToken: () => idToken(credentialId),
    })
  }
  return {
    longestMs: (target: RoleTarget): number =>
      trustOf(target) === 'web_identity' ? target.maxSessionMs : Math.min(stsLimits.chainedMs, target.maxSessionMs),
    mint: async (what: MintAsk): Promise<AwsCredentials> => {
      const since = performance.now()
      try {
        return await ask(what)
      } finally {
        const seconds = (performance.now() - since) / 1000
        metrics.sessionOpenSeconds.observe({ kind: 'iam-role', phase: 'aws' }, seconds)
      }
    },
  }
}
