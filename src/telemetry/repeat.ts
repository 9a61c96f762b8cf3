import type { Logger } from './logger.ts'

/**
 * Does something again and again, never twice at once. A failure is logged, and the next turn comes.
 * @returns stops it; resolves when the turn that is under way is over
 */
export function repeat(
  what: string,
  everyMs: number,
  work: () => Promise<unknown>,
  logger: Logger,
): () => Promise<void> {
  let isStopped = false
  let turn: Promise<void> | undefined
  const timer = setInterval(() => {
    if (turn || isStopped) return
    turn = work()
      .catch((error: unknown) => logger.error({ err: error }, `${what} failed`))
      .then(() => {
        turn = undefined
      })
  }, everyMs)
  return async () => {
    isStopped = true
    clearInterval(timer)
    await turn
  }
}
