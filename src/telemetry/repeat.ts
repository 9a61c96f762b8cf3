import type { Logger } from './logger.ts'

/**
 * Does something again and again, never twice at once. A failure is logged, and the next turn comes.
 * @returns stops it; resolves when the turn that is under way is over
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
