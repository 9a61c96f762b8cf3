import type { LostWork } from '../doorman.ts'
import type { ProtocolParts } from '../relay/protocol.ts'
import { BrokerError, type SessionPermit } from '../session.ts'
import { endBackend } from './target/backend.ts'
import { readBackendDetail } from './target/backend-detail.ts'
import { endingParameters } from './target/upstream-parameters.ts'

const endMs = 10_000

/**
 * Ends the process that served a session of a previous run, at the address where it was, if it is still there.
 * @throws BrokerError TARGET_UNREACHABLE, TARGET_UNTRUSTED, TARGET_REFUSED, TARGET_LOST, DATABASE_DENIED
 */
export async function endLost({ reach, trust }: ProtocolParts, permit: SessionPermit, lost: LostWork): Promise<void> {
  const { detail, lease } = lost
  const { engine, sessionId } = permit
  const backend = readBackendDetail(detail)
  if (!backend || !engine)
    throw new BrokerError('TARGET_REFUSED', 'the target gave no proof of which process served the session')
  if (detail.user !== lease.user)
    throw new BrokerError('TARGET_REFUSED', 'the level names another database user now, who may not end its process')
  const signal = AbortSignal.timeout(endMs)
  const wire = await reach.open(permit, signal)
  await endBackend(wire, backend, {
    serverName: engine.serverName,
    secureContext: trust.contextFor(engine.ca),
    parameters: (user) => endingParameters(sessionId, user, detail.database ?? ''),
    lease: Promise.resolve(lease),
    signal,
  })
}
