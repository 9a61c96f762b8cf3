import { direct } from './direct.ts'
import type { Reach } from './reach.ts'
import type { TunnelParts } from './tunnel.ts'
import { viaSsm } from './via-ssm.ts'

/** Each target the way that its permit says: over the broker's own network, or through an instance. */
export function reachTargets(parts: TunnelParts): Reach {
  const throughInstances = viaSsm(parts)
  return {
    open: (permit, signal) => (permit.engine?.via ? throughInstances : direct).open(permit, signal),
  }
}
