import { setTimeout } from 'node:timers/promises'
import type { Parts } from './parts.ts'

export interface Stopping {
  /**
   * No session opens any more; open ones continue for `drainMs` (`server.drain` by default), then they are cut and closed. A
   * second call ends the drain at once.
   */
  stop(options?: { drainMs?: number }): Promise<void>
  /** Resolves when everything is closed. */
  readonly stopped: Promise<void>
}

/** How long cut sessions may take to end. */
const farewellMs = 5000

export function stopping(parts: Parts, closing: AsyncDisposableStack): Stopping {
  const { sessions, kinds, audit, clock, logger, config } = parts
  const { promise: stopped, resolve, reject } = Promise.withResolvers<void>()
  let hurry: (() => void) | undefined
  const run = async (drainMs: number) => {
    sessions.drain()
    logger.info({ open: sessions.openCount, drainMs }, 'draining')
    const hurried = new Promise<void>((wake) => {
      hurry = wake
    })
    // Passive sessions have no traffic of their own: the drain does not wait for them.
    await Promise.race([emptied(() => sessions.openCount - kinds.passiveCount(), drainMs), hurried])
    const text = 'the broker is shutting down; connect again'
    const cut = sessions.cutAll({ reason: 'drain', text, decidedAt: clock.now() })
    await emptied(() => sessions.openCount, farewellMs)
    await audit.appendRemoval({ type: 'daemon.stopped', actor: 'system', fields: { cut } })
    await closing.disposeAsync()
    logger.info({ cut }, 'stopped')
  }
  return {
    stopped,
    stop: ({ drainMs = config.server.drainMs } = {}) => {
      if (hurry) hurry()
      else run(drainMs).then(resolve, reject)
      return stopped
    },
  }
}

async function emptied(openCount: () => number, withinMs: number): Promise<void> {
  const deadline = performance.now() + withinMs
  while (openCount() > 0 && performance.now() < deadline) await setTimeout(20)
}
