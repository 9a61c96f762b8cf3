import type { SessionEnd } from '../../proxy/doorman.ts'
import type { Recordings } from '../recordings/recordings.ts'
import type { Clock } from '../telemetry/clock.ts'
import type { Logger } from '../telemetry/logger.ts'
import type { LiveSessions } from './live-sessions.ts'
import { type LostSession, sealLost } from './recover-sessions.ts'
import type { SessionStore } from './session-store.ts'

export interface FrontSessionsDeps {
  readonly clock: Clock
  readonly live: Pick<LiveSessions, 'noticeOf'>
  readonly logger: Logger
  readonly recordings: Pick<Recordings, 'recover'>
  readonly store: Pick<SessionStore, 'find'>
}

/** Recordings that are checked at the same time. */
const atOnce = 4

/**
 * Closes sessions whose front is dead: nothing more of them is forwarded. What they have relayed nobody knows any more.
 * @param end writes it down, unless another did @returns them, for what they left running at their targets
 */
export async function closeSessionsOfFront(
  deps: FrontSessionsDeps,
  ids: readonly string[],
  end: (sessionId: string, end: SessionEnd) => Promise<void>,
): Promise<LostSession[]> {
  const { clock, live, store } = deps
  const stoppedAt = clock.now()
  const lost: LostSession[] = []
  const close = async (id: string) => {
    const notice = live.noticeOf(id)
    const recording = (await sealLost(deps, id)) ?? null
    const cut = notice === undefined ? {} : { stoppedAt, decidedAt: notice.decidedAt }
    await end(id, { reason: notice?.reason ?? 'daemon-lost', bytesUp: 0, bytesDown: 0, recording, ...cut })
    const row = await store.find(id)
    if (row) lost.push({ row, isOver: false })
  }
  const waiting = [...ids]
  const closeNext = async () => {
    for (let id = waiting.pop(); id !== undefined; id = waiting.pop()) await close(id)
  }
  await Promise.all(Array.from({ length: atOnce }, closeNext))
  return lost
}
