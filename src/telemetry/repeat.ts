import type { Logger } from './logger.ts'

/**
 * Runs something repeatedly, never twice at once. A failure is logged, and the next run follows.
 * @returns stops it; resolves when the current run is over
 */
export function repeat(
  what: string,
  everyMs: number,
  work: (signal: AbortSignal) => Promise<unknown>,
  logger: Logger,
): () => Promise<void> {
  const stopping = new AbortController()
  const { signal } = stopping
  let turn: Promise<void> | undefined
  const timer = setInterval(() => {
    if (turn || signal.aborted) return
    turn = work(signal)
      .catch((error: unknown) => logger.error({ err: error }, `${what} failed`))
      .then(() => {
        turn = undefined
      })
  }, everyMs)
  return async () => {
    stopping.abort()
    clearInterval(timer)
    await turn
  }
}
