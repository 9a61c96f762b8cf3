import { endLostWork } from '../sessions/lost-work.ts'
import type { LostSession } from '../sessions/recover-sessions.ts'
import type { Parts } from './parts.ts'

/** Gives up daemons that are silent, closes their sessions, and ends what these left running at their targets. */
export async function closeLostDaemons(parts: Parts): Promise<void> {
  const { audit, daemons, logger, sessions } = parts
  if (!daemons.isShared) return
  const lost = await daemons.findLost()
  for (const { id: daemon, heartbeat_at: heard } of lost) {
    const { events } = await audit.search({ types: ['daemon.started'], subject: daemon, limit: 1 })
    if (events.length === 0) continue // a row that was put there: nobody can fill the log by them
    await audit.appendRemoval({ type: 'daemon.lost', actor: 'system', fields: { daemon, heard } })
  }
  const closed = await sessions.closeSessionsOfLost(lost.map(({ id }) => id))
  if (closed.length === 0) return
  logger.warn({ count: closed.length }, 'sessions of lost daemons were closed as daemon-lost')
  await endWorkOf(parts, closed)
}

/** What lost sessions left running at their targets. Never rejects. */
export function endWorkOf(parts: Parts, lost: readonly LostSession[]): Promise<void> {
  const { access, sessions } = parts
  const rows = lost.flatMap(({ row, isOver }) => (isOver ? [] : [row]))
  return endLostWork({ ...parts, held: access.held, endLost: (work) => sessions.endLost(work) }, rows)
}
