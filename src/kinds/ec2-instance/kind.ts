import type { Problem, RequestableKind } from '../../catalog/kind.ts'
import { shownFacts } from './found/facts.ts'
import { type InstanceLevel, instanceLevel } from './level.ts'
import { instancePolicies, instancePolicyValues } from './policies.ts'
import { prepareInstance } from './prepare.ts'
import { type InstanceTarget, instanceTarget } from './target.ts'
import { instanceCommands } from './told/commands.ts'
import { instanceLimits } from './told/limits.ts'
import { instanceMeans } from './told/means.ts'

export const ec2Instance: RequestableKind<InstanceTarget, InstanceLevel> = {
  name: 'ec2-instance',
  id: 'regional',
  protocol: 'shell',
  besides: ['tcp', 'copy'],
  target: instanceTarget,
  targetId: ({ instanceId }) => instanceId,
  level: instanceLevel,
  fits: ({ kmsKey }, target) => fitsKey(kmsKey, target),
  shown: ({ facts }) => (facts ? shownFacts(facts) : {}),
  means: instanceMeans,
  commands: instanceCommands,
  limits: instanceLimits,
  sessionMs: ({ budget }) => budget?.ms || null,
  roles: ({ role: arn }) => [{ arn, hasSourceIdentity: true, hasTransitiveTags: false }],
  policies: instancePolicies,
  policyValues: instancePolicyValues,
  prepare: prepareInstance,
  features: () => ['shells'],
}

/** KMS has keys in one region. */
function fitsKey(kmsKey: string | null, { region }: InstanceTarget): Problem[] {
  const keyRegion = kmsKey?.split(':')[3] ?? region
  if (keyRegion === region) return []
  return [
    {
      path: 'kms_key',
      message: `the key is in ${keyRegion}, but the instance is in ${region}`,
      fix: `use a key of ${region}, in a level of its own`,
    },
  ]
}
