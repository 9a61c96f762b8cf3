import { setTimeout as wait } from 'node:timers/promises'
import { BrokerError } from '../session.ts'
import type { Target } from './target.ts'

/** How long to keep the connection for the cancel to arrive. Then it is closed anyway, so that work upstream ends within a second of the cut. */
const cancelMs = 700
/** How long the target may take to answer the farewell. */
const farewellMs = 200

export interface LeaveOptions {
  /** A statement is running or queued. */
  readonly isBusy: boolean
  /** What was forwarded ends with a whole message. */
  readonly mayTerminate: boolean
}

/**
 * Closes the connection to the target of a session that is over. A running statement is cancelled first: closing alone would let
 * it commit. A slow cancel continues after the connection is closed. Never rejects.
 * @returns for the log: why the statement may still have run
 */
export async function leaveTarget(target: Target, { isBusy, mayTerminate }: LeaveOptions): Promise<Error | undefined> {
  const { stream } = target
  stream.resume() // what still arrives is discarded
  if (stream.destroyed) return undefined
  const failure = isBusy ? await cancelSoon(target) : undefined
  if (mayTerminate && !stream.writableEnded) sayFarewell(target)
  else stream.destroy()
  return failure
}

async function cancelSoon(target: Target): Promise<Error | undefined> {
  const late = new BrokerError('TARGET_UNREACHABLE', `the statement was not cancelled within ${cancelMs} ms`)
  const cancelled = target.cancel().then(
    () => undefined,
    (error: Error) => error,
  )
  return await Promise.race([cancelled, wait(cancelMs, late, { ref: false })])
}

function sayFarewell({ stream, farewell }: Target): void {
  const timer = setTimeout(() => stream.destroy(), farewellMs)
  stream.once('close', () => clearTimeout(timer))
  stream.end(farewell)
}
