import { inLane } from '../store/lanes.ts'
import { restoreUnconfirmed } from './distrust.ts'
import type { Parts } from './parts.ts'
import type { Stopping } from './stopping.ts'

/**
 * Verifies what the start did not look at, in the background, and hears of what the feed finds. Damage cuts every session and ends
 * this stage of the daemon; a failure to read is logged, and the next start tries again.
 */
export function verifyOlder(parts: Parts, { stop }: Stopping): { damaged(): boolean } {
  const { audit, clock, logger, sessions, unverified } = parts
  let isDamaged = false
  audit.onDamaged((what) => {
    isDamaged = true
    logger.error({ what }, 'the audit log is damaged: nothing opens any more')
    audit.refuseAppends(restoreUnconfirmed(what))
    const text = 'the audit log of the broker is damaged, so nothing may go on'
    sessions.cutAll({ reason: 'store-lost', text, decidedAt: clock.now() })
    stop({ drainMs: 0 }).catch(() => undefined) // `stopped` rejects with it
  })
  inLane('books', () => audit.verifyOlder(unverified)).catch((error: unknown) => {
    if (sessions.isDraining) return // the store was closed meanwhile
    logger.error({ err: error }, 'the older part of the audit log could not be verified')
  })
  return { damaged: () => isDamaged }
}
