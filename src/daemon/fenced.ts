import { BrokerError } from '../../proxy/session.ts'
import type { Parts } from './parts.ts'
import type { Stopping } from './stopping.ts'

export interface Fence {
  /** Other daemons have closed the sessions of this one: it must begin anew. */
  isLost(): boolean
  /** Another process runs in its stead: this one must end. */
  failure(): BrokerError | undefined
}

/** Ends this stage of the daemon, with all its sessions, when the others no longer count on it. */
export function endWhenFenced({ audit, clock, config, daemons, logger, sessions }: Parts, { stop }: Stopping): Fence {
  daemons.onFenced = (why) => {
    logger.error({ daemon: daemons.id, why }, 'fenced: this daemon was given up or replaced; its sessions end')
    audit.refuseAppends(new BrokerError('STORE_UNAVAILABLE', 'other daemons have given this one up'))
    const text = 'the broker was cut off from its other daemons for too long; connect again'
    sessions.cutAll({ reason: 'store-lost', text, decidedAt: clock.now() })
    stop({ drainMs: 0 }).catch(() => undefined) // `stopped` rejects with it
  }
  return {
    isLost: () => daemons.fenced === 'lost',
    failure: () =>
      daemons.fenced === 'replaced'
        ? new BrokerError(
            'STORE_UNAVAILABLE',
            `another process runs as ${daemons.id}, the daemon of ${config.stateDir}`,
            {
              hint: 'Each daemon needs a state.dir of its own.',
            },
          )
        : undefined,
  }
}
