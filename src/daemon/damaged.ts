import { BrokerError } from '../../proxy/session.ts'
import { inLane } from '../store/lanes.ts'
import { restoreUnconfirmed } from './distrust.ts'
import type { Parts } from './parts.ts'
import { endAtOnce, type Stopping } from './stopping.ts'

/**
 * Ends this stage of the daemon when its log is found damaged: by the feed, or behind what the start looked at, which is verified in
 * the background. A failure to read that is logged, and the next start tries again.
 */
export function endWhenDamaged(parts: Parts, life: Stopping): void {
  const { audit, logger, sessions, unverified } = parts
  audit.onDamaged((what) => {
    logger.error({ what }, 'the audit log is damaged: nothing opens any more')
    endAtOnce(parts, life, restoreUnconfirmed(what), 'the audit log of the broker is damaged, so nothing may go on')
  })
  inLane('books', () => audit.verifyOlder(unverified)).catch((error: unknown) => {
    if (sessions.isDraining) return // the store was closed meanwhile
    logger.error({ err: error }, 'the older part of the audit log could not be verified')
  })
}

/**
 * Ends this stage of the daemon when a restore is confirmed at another one: what is older is void, and a start ends it all.
 * @returns whether that has happened
 */
export function endWhenRestored(parts: Parts, life: Stopping): () => boolean {
  let isRestored = false
  void parts.restoredElsewhere.then(() => {
    isRestored = true
    parts.logger.warn(
      'a restore was confirmed at another daemon: everything of before is void, and this one begins anew',
    )
    const refusal = new BrokerError('STORE_UNAVAILABLE', 'a restore was confirmed at another daemon')
    endAtOnce(
      parts,
      life,
      refusal,
      'the store of the broker was restored from an earlier state; request the access again',
    )
  })
  return () => isRestored
}
