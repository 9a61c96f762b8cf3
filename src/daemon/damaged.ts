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
