import { setTimeout as wait } from 'node:timers/promises'
import type { Upstream } from '../postgres/target/upstream.ts'
import { BrokerError } from '../session.ts'
import { terminate } from '../wire/postgres/encode.ts'

/** How long the connection is kept for the cancel to arrive. Then it is closed all the same: work upstream ends within a second of the cut. */
const cancelMs = 700
/** How long the target may take to answer the farewell. */
const farewellMs = 200

export interface LeaveOptions {
  /** A statement is running, or waits to. */
  readonly isBusy: boolean
  /** What was forwarded ends with a whole message. */
  readonly mayTerminate: boolean
}

/**
 * Closes a connection to the target that nobody listens to any more. A statement that runs is cancelled first: closing alone would
 * let it commit. A cancel that is slow goes on after the connection was closed. Never rejects.
 * @returns for the log: why the statement may have gone on
 */
export async function leaveUpstream(
  upstream: Upstream,
  { isBusy, mayTerminate }: LeaveOptions,
): Promise<Error | undefined> {
  const { socket } = upstream
  socket.resume() // what still comes is thrown away
  if (socket.destroyed) return undefined
  const failure = isBusy ? await cancelSoon(upstream) : undefined
  if (mayTerminate && !socket.writableEnded) farewell(upstream)
  else socket.destroy()
  return failure
}

async function cancelSoon(upstream: Upstream): Promise<Error | undefined> {
  const late = new BrokerError('TARGET_UNREACHABLE', `the statement was not cancelled within ${cancelMs} ms`)
  const cancelled = upstream.cancel().then(
    () => undefined,
    (error: Error) => error,
  )
  return await Promise.race([cancelled, wait(cancelMs, late, { ref: false })])
}

function farewell({ socket }: Upstream): void {
  const timer = setTimeout(() => socket.destroy(), farewellMs)
  socket.once('close', () => clearTimeout(timer))
  socket.end(terminate)
}
