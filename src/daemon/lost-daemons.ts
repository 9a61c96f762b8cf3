import type { CompiledQuery } from 'kysely'
import { BrokerError } from '../../proxy/session.ts'
import type { DaemonRow } from '../daemons/daemon-tables.ts'
import { returnsRow } from '../daemons/daemons.ts'
import { endLostWork, type LostWorkDeps } from '../sessions/lost-work.ts'
import type { LostSession } from '../sessions/recover-sessions.ts'
import type { Parts } from './parts.ts'

/** Gives up daemons that are silent, closes their sessions, and ends what these left running at their targets. */
export async function closeLostDaemons(parts: Parts): Promise<void> {
  const { daemons, logger, sessions } = parts
  if (!daemons.isShared) return
  const lost = await daemons.findLost((row, claim) => giveUp(parts, row, claim))
  const closed = await sessions.closeSessionsOfLost(lost.map(({ id }) => id))
  if (closed.length === 0) return
  logger.warn({ count: closed.length }, 'sessions of lost daemons were closed as daemon-lost')
  await endWorkOf(parts, closed)
}

/** Marks its row together with the event, without which its recordings would not be sealed when it starts again. */
async function giveUp(
  { audit, db }: Pick<Parts, 'audit' | 'db'>,
  { id: daemon, heartbeat_at: heard }: DaemonRow,
  claim: CompiledQuery,
): Promise<boolean> {
  const { events } = await audit.search({ types: ['daemon.started'], subject: daemon, limit: 1 })
  if (events.length === 0) return await returnsRow(db, claim) // a row that was put there: nobody can fill the log by them
  try {
    await audit.append({ type: 'daemon.lost', actor: 'system', fields: { daemon, heard } }, { claims: [claim] })
    return true
  } catch (error) {
    if (error instanceof BrokerError && error.code === 'STALE') return false
    throw error
  }
}

/** What lost sessions left running at their targets. Never rejects. */
export function endWorkOf(parts: Parts, lost: readonly LostSession[]): Promise<void> {
  const { access, sessions } = parts
  const rows = lost.flatMap(({ row, isOver }) => (isOver ? [] : [row]))
  const heldBy: LostWorkDeps['heldBy'] = ({ grant_id: grantId, resource_id: resourceId, level }) =>
    access.heldBy({ grantId, resourceId, level })
  return endLostWork({ ...parts, heldBy, endLost: (work) => sessions.endLost(work) }, rows)
}
