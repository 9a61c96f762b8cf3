import { setTimeout as wait } from 'node:timers/promises'
import type { Recordings } from './recordings.ts'

/** A recording here is at most so far behind the session, and 80 ms more. */
const pollMs = 100
const pollElsewhereMs = 250
/** Asked of the store, so not with each poll. */
const endPollMs = 1000

export interface FollowParts {
  readonly recordings: Pick<Recordings, 'bytes'>
  /** Whether the session is over, so that nothing is added any more. */
  isOver(): Promise<boolean>
  /** Another daemon writes it. */
  readonly isElsewhere: boolean
}

/**
 * The bytes of a recording from an offset on, as they are written, until its session is over.
 * @throws BrokerError as `Recordings.bytes`; the reason of `signal`
 */
export async function* followRecording(
  { recordings, isOver, isElsewhere }: FollowParts,
  sessionId: string,
  from: number,
  signal: AbortSignal,
): AsyncGenerator<Buffer> {
  let offset = from
  let askedAt = performance.now()
  let isLast = false
  for (;;) {
    for await (const chunk of await recordings.bytes(sessionId, offset)) {
      signal.throwIfAborted()
      offset += chunk.length
      yield chunk
    }
    if (isLast) return
    await wait(isElsewhere ? pollElsewhereMs : pollMs, undefined, { signal }).catch(() => signal.throwIfAborted())
    if (performance.now() - askedAt < endPollMs) continue
    askedAt = performance.now()
    isLast = await isOver() // what is read from now on is all there is
  }
}
