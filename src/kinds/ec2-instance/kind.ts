import type { Kind } from '../../catalog/kind.ts'
import { type InstanceLevel, instanceLevel } from './level.ts'
import { instanceLimits } from './limits.ts'
import { instancePolicies, instancePolicyValues } from './policies.ts'
import { type InstanceTarget, instanceTarget } from './target.ts'

export const ec2Instance: Kind<InstanceTarget, InstanceLevel> = {
  name: 'ec2-instance',
  id: 'regional',
  protocol: 'shell',
  target: instanceTarget,
  targetId: ({ instanceId }) => instanceId,
  level: instanceLevel,
  limits: instanceLimits,
  sessionMs: ({ budget }) => budget?.ms || null,
  roles: ({ role: arn }) => [{ arn, hasSourceIdentity: true, hasTransitiveTags: false }],
  policies: instancePolicies,
  policyValues: instancePolicyValues,
  features: () => ['shells'],
}
