import type { Logger } from './logger.ts'

/** Work that runs in the background: failures are logged, and `idle` resolves when none is left. */
export interface Background {
  run(what: string, work: () => Promise<unknown>): void
  idle(): Promise<void>
}

export function createBackground(logger: Logger): Background {
  const running = new Set<Promise<unknown>>()
  return {
    run: (what, work) => {
      const done = work()
        .catch((error: unknown) => logger.error({ err: error }, `${what} failed`))
        .finally(() => running.delete(done))
      running.add(done)
    },
    idle: async () => {
      while (running.size > 0) await Promise.all(running)
    },
  }
}
