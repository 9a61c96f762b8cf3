import { setTimeout as wait } from 'node:timers/promises'
import { BrokerError, type Lease, type UnfinishedWork } from '../session.ts'
import type { Target, TargetWork } from './target.ts'

/** How long to wait for a cancel to arrive; then the session ends anyway. A slow one continues. */
const cancelMs = 700
/** How long the target may take to answer the farewell. */
const farewellMs = 200
/** For the second connection that ends what still runs, its sign-in included. */
const endMs = 3000
/** Between two cancels, and for how long they are repeated. */
const cancelAgainMs = 200
const cancelsMs = 1000

export interface LeaveOptions {
  /** A statement is running or queued. */
  readonly isBusy: boolean
  /** What was forwarded ends with a whole message. */
  readonly mayTerminate: boolean
  /** The session was cut: nothing of it may run on. */
  readonly isCut: boolean
  /** A credential for ending what still runs. */
  lease(): Promise<Lease>
}

/** What became of a statement that was running or queued. */
export interface Left {
  readonly unfinished?: UnfinishedWork
  /** For the log: why it may still have run. */
  readonly error?: Error
}

/**
 * Closes the connection to the target of a session that is over. A running statement is cancelled, since closing alone would let
 * it commit. What is queued behind it must not start, so the connection is not closed in order: that would deliver the queue.
 * Never rejects.
 */
export async function leaveTarget(target: Target, options: LeaveOptions): Promise<Left> {
  const { stream, work } = target
  stream.resume() // what still arrives is discarded
  if (stream.destroyed) return {}
  if (!options.isBusy) {
    if (options.mayTerminate && !stream.writableEnded) sayFarewell(target)
    else stream.destroy()
    return {}
  }
  if (!work) {
    const failure = await cancelSoon(target) // before the reset: a pooler forgets the cancel key of a client that has left
    target.reset()
    if (!options.isCut) return failure ? { error: failure } : {}
    return { unfinished: 'closed', error: failure ?? new BrokerError('TARGET_REFUSED', unproven) }
  }
  target.reset()
  return options.isCut ? await endWork(target, work, options) : toLeft(await cancelSoon(target))
}

const unproven =
  'what was running was cancelled and the connection dropped, but the target gives no proof that it has ended'

function toLeft(error: Error | undefined): Left {
  return error ? { error } : {}
}

/** Cancels at once and again, which is quick, while the second connection is made, which is sure. */
async function endWork(target: Target, work: TargetWork, { lease }: LeaveOptions): Promise<Left> {
  const isOver = new AbortController()
  const cancelled = cancelUntil(target, AbortSignal.any([isOver.signal, AbortSignal.timeout(cancelsMs)]))
  const last = lease()
  last.catch(() => {}) // reported by the engine, unless the connection fails first
  try {
    await work.end(last, AbortSignal.timeout(endMs))
    return { unfinished: 'ended' }
  } catch (error) {
    return { unfinished: 'closed', error: (await cancelled) ?? (error as Error) }
  } finally {
    isOver.abort()
  }
}

/** @returns why the first cancel did not arrive */
async function cancelUntil(target: Target, done: AbortSignal): Promise<Error | undefined> {
  const first = await cancelSoon(target)
  while (!done.aborted) {
    await wait(cancelAgainMs, undefined, { ref: false })
    if (!done.aborted) await cancelSoon(target)
  }
  return first
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
