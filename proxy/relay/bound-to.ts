import type { Identity } from '../doorman.ts'
import { BrokerError } from '../session.ts'

/**
 * What a client of a protocol port may reach: the grant of its token says it.
 * @param pinned the resource that the port is for
 * @throws BrokerError GRANT_DENIED
 */
export function boundTo({ bound }: Identity, pinned: string | undefined): { resourceId: string; level: string } {
  if (!bound) throw new BrokerError('GRANT_DENIED', 'this port accepts only connect tokens')
  if (pinned !== undefined && pinned !== bound.resourceId)
    throw new BrokerError('GRANT_DENIED', 'the token is for a different resource than this port', {
      hint: 'Use the host and port that came with the token.',
    })
  return bound
}

/** For metrics. Ids of resources begin with their kind: `rds-postgres/111122223333/eu-west-1/orders`. */
export function kindOf(resourceId: string): string {
  return resourceId.slice(0, Math.max(0, resourceId.indexOf('/'))) || 'unknown'
}
