import { setTimeout } from 'node:timers/promises'
import type { BrokerError } from '../../proxy/session.ts'
import type { Parts } from './parts.ts'

export interface Stopping {
  /**
   * For `server.drain_delay` sessions open still, so that a balancer sees first that the daemon is not ready. Then none opens; open
   * ones continue for `server.drain`, then they are cut and closed. With `drainMs` there is no delay. A second call ends it all at once.
   */
  stop(options?: { drainMs?: number }): Promise<void>
  /** Resolves when everything is closed. */
  readonly stopped: Promise<void>
}

/** Also says whether the stop was asked for. */
export interface Life extends Stopping {
  readonly isStopping: boolean
}

/** How long cut sessions may take to end. */
const farewellMs = 5000

export function stopping(parts: Parts, closing: AsyncDisposableStack): Life {
  const { sessions, kinds, audit, clock, logger, config, daemons } = parts
  const { promise: stopped, resolve, reject } = Promise.withResolvers<void>()
  let hurry: (() => void) | undefined
  const run = async (delayMs: number, drainMs: number) => {
    const hurried = new Promise<void>((wake) => {
      hurry = wake
    })
    logger.info({ open: sessions.openCount, delayMs, drainMs }, 'draining')
    if (delayMs > 0) await Promise.race([setTimeout(delayMs, undefined, { ref: false }), hurried])
    sessions.drain()
    // Passive sessions have no traffic of their own: the drain does not wait for them.
    await Promise.race([emptied(() => sessions.openCount - kinds.passiveCount(), drainMs), hurried])
    const text = 'the broker is shutting down; connect again'
    const cut = sessions.cutAll({ reason: 'drain', text, decidedAt: clock.now() })
    await emptied(() => sessions.openCount, farewellMs)
    await audit.appendRemoval({ type: 'daemon.stopped', actor: 'system', fields: { daemon: daemons.id, cut } })
    await closing.disposeAsync()
    logger.info({ cut }, 'stopped')
  }
  return {
    stopped,
    get isStopping() {
      return hurry !== undefined
    },
    stop: ({ drainMs } = {}) => {
      const { server } = config
      if (hurry) hurry()
      else run(drainMs === undefined ? server.drainDelayMs : 0, drainMs ?? server.drainMs).then(resolve, reject)
      return stopped
    },
  }
}

/** Cuts every session and stops, without a drain. Nothing that gives access is written meanwhile: it is refused. */
export function endAtOnce(parts: Parts, { stop }: Stopping, refusal: BrokerError, text: string): void {
  const { audit, clock, sessions } = parts
  audit.refuseAppends(refusal)
  sessions.cutAll({ reason: 'store-lost', text, decidedAt: clock.now() })
  stop({ drainMs: 0 }).catch(() => undefined) // `stopped` rejects with it
}

async function emptied(openCount: () => number, withinMs: number): Promise<void> {
  const deadline = performance.now() + withinMs
  while (openCount() > 0 && performance.now() < deadline) await setTimeout(20)
}
