import type { AuditLog } from '../audit/audit.ts'
import type { Macs } from '../store/signed-rows.ts'
import type { LiveSession, LiveSessions } from './live-sessions.ts'
import { isSigned } from './session-macs.ts'
import type { SessionStore } from './session-store.ts'

export interface FindDeps {
  readonly live: Pick<LiveSessions, 'get'>
  readonly store: Pick<SessionStore, 'find'>
  readonly audit: Pick<AuditLog, 'search'>
  readonly keyring: Macs
}

export type FoundSession = Pick<LiveSession, 'principalId' | 'grantId' | 'resourceId'>

/** Whose session it is, whether or not it has ended: who can write to the store hides none by changing or deleting its row. */
export async function findSession(deps: FindDeps, id: string): Promise<FoundSession | undefined> {
  const here = deps.live.get(id)
  if (here) return here
  const row = await deps.store.find(id)
  if (row?.mac != null && isSigned(deps.keyring, 'sessions', row)) return toFound(row)
  const [started] = (await deps.audit.search({ types: ['session.started'], subject: id, limit: 1 })).events
  if (!started) return row && toFound(row) // of a version without it
  const { grant, resource } = started.fields
  return { principalId: started.actor, grantId: String(grant), resourceId: String(resource) }
}

function toFound(row: { principal_id: string; grant_id: string; resource_id: string }): FoundSession {
  return { principalId: row.principal_id, grantId: row.grant_id, resourceId: row.resource_id }
}
