import type { LostWork } from '../doorman.ts'
import type { ProtocolParts } from '../relay/protocol.ts'
import { BrokerError, type SessionPermit } from '../session.ts'
import { endingLogin } from './target/login.ts'
import { killThread } from './target/server-thread.ts'
import { readThreadDetail } from './target/thread-detail.ts'

const endMs = 10_000

/**
 * Ends the thread that served a session of a previous run, at the address where it was, if it is still there.
 * @throws BrokerError TARGET_UNREACHABLE, TARGET_UNTRUSTED, TARGET_REFUSED, TARGET_LOST
 */
export async function endLost({ reach, trust }: ProtocolParts, permit: SessionPermit, lost: LostWork): Promise<void> {
  const { detail, lease } = lost
  const { engine, sessionId } = permit
  const thread = readThreadDetail(sessionId, detail)
  if (!thread || !engine)
    throw new BrokerError('TARGET_REFUSED', 'the target gave no proof of which thread served the session')
  if (detail.user !== lease.user)
    throw new BrokerError('TARGET_REFUSED', 'the level names another database user now, who may not end its thread')
  const signal = AbortSignal.timeout(endMs)
  const wire = await reach.open(permit, signal)
  await killThread(wire, thread, 'connection', {
    serverName: engine.serverName,
    secureContext: trust.contextFor(engine.ca),
    login: endingLogin(sessionId),
    lease: Promise.resolve(lease),
    signal,
  })
}
