import type { Logger } from '../telemetry/logger.ts'

export interface StoreWatch {
  readonly isReachable: boolean
  /** Checks once; called by the daemon's timer. Never rejects. */
  look(): Promise<void>
}

export interface StoreWatchOptions {
  /** Rejects when the store cannot be used. */
  readonly ping: () => Promise<unknown>
  /** How long ago it could be used last, as known by other means; by default it is the look that finds out. */
  readonly ageMs?: () => number
  /** How long sessions continue while the store is unreachable. */
  readonly graceMs: number
  /** Called once per outage, when the grace period is over. */
  readonly onLost: () => void
  readonly logger: Logger
  /** Milliseconds since any fixed moment; default `performance.now`. */
  readonly elapsedMs?: () => number
  /** A store that takes longer than this to answer counts as unreachable; default 2,000. */
  readonly timeoutMs?: number
}

/** Detects that the store can't be read: then the grants of open sessions can no longer be checked. */
export function watchStore(options: StoreWatchOptions): StoreWatch {
  const { ping, ageMs, graceMs, onLost, logger, elapsedMs = () => performance.now(), timeoutMs = 2000 } = options
  let lostAt: number | undefined
  let isReported = false
  const found = () => {
    if (lostAt !== undefined) logger.info('the store can be reached again')
    lostAt = undefined
    isReported = false
  }
  const missing = (error: unknown, since: number) => {
    if (lostAt === undefined) logger.error({ err: error }, 'the store cannot be reached')
    lostAt ??= since
    if (isReported || elapsedMs() - lostAt < graceMs) return
    isReported = true
    onLost()
  }
  return {
    get isReachable() {
      return lostAt === undefined
    },
    look: async () => {
      const since = elapsedMs()
      try {
        await within(timeoutMs, ping())
        found()
      } catch (error) {
        missing(error, ageMs ? elapsedMs() - ageMs() : since)
      }
    },
  }
}

/** An answer that has arrived while this process was busy with other things is not late. */
async function within(ms: number, work: Promise<unknown>): Promise<void> {
  const { promise: late, reject } = Promise.withResolvers<never>()
  const expire = () => reject(new Error(`no answer within ${ms} ms`))
  const timer = setTimeout(() => setImmediate(() => setImmediate(expire)), ms)
  try {
    await Promise.race([work, late])
  } finally {
    clearTimeout(timer)
  }
}
