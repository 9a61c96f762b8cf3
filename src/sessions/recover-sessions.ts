import type { AuditEvent, AuditLog, AuditRecord } from '../audit/audit.ts'
import { readLoggedRows } from '../audit/logged-rows.ts'
import type { Recordings } from '../recordings/recordings.ts'
import type { Macs, WithoutMac } from '../store/signed-rows.ts'
import type { Clock } from '../telemetry/clock.ts'
import type { Logger } from '../telemetry/logger.ts'
import { ended } from './open-session.ts'
import { isSigned, startedRows } from './session-macs.ts'
import { justOpened, type SessionRow, type SessionStore } from './session-store.ts'

export interface RecoverDeps {
  readonly store: SessionStore
  readonly audit: Pick<AuditLog, 'appendRemoval' | 'search' | 'spooled'>
  readonly recordings: Pick<Recordings, 'recover'>
  readonly keyring: Macs
  readonly clock: Clock
  readonly logger: Logger
  readonly daemonId: string
}

/** A session that a previous run left open. */
export interface LostSession {
  readonly row: SessionRow
  /** Its end is on record with nothing left behind: only its row was open. */
  readonly isOver: boolean
}

/** Closes the sessions that a previous run left open, by the rows and by the log. */
export async function recoverSessions(deps: RecoverDeps): Promise<LostSession[]> {
  await restoreRows(deps)
  const lost: LostSession[] = []
  for (const row of await deps.store.leftOpen(deps.daemonId)) lost.push({ row, isOver: await closeLost(deps, row) })
  return lost
}

/** What the previous run opened, by the log: a change of the store while it was stopped hides no session. */
async function restoreRows(deps: RecoverDeps): Promise<void> {
  const { audit, store, keyring, logger } = deps
  const since = (await audit.search({ types: ['daemon.started'], limit: 1 })).events[0]?.at ?? 0
  for await (const { id, event, row, problem } of readLoggedRows(audit, startedRows(store), since)) {
    if (row && problem === null && (row.mac === null || isSigned(keyring, 'sessions', row))) continue
    const what = problem ?? 'its signature is not valid'
    logger.error({ session: id, problem: what }, 'the row of a session was changed outside the broker; restoring it')
    await store.restore(rowOf(id, event))
    const fields = { table: 'sessions', row: id, problem: what }
    await audit.appendRemoval({ type: 'store.refused', actor: 'system', fields })
  }
}

/** Open, so that it is closed with what its end event says, or as lost. */
function rowOf(id: string, { at, actor, fields, text }: AuditRecord): WithoutMac<SessionRow> {
  const field = (name: string) => String(fields[name] ?? '')
  const credential = field('credential')
  return {
    id,
    principal_id: actor,
    principal_name: text?.name ?? '',
    grant_id: field('grant'),
    request_id: field('request'),
    resource_id: field('resource'),
    kind: field('resource').split('/')[0] ?? '',
    level: field('level'),
    credential_kind: kindOfCredential(credential),
    credential_id: credential,
    daemon_id: '',
    client_address: text?.address ?? '',
    client_via: field('via'),
    tool: text?.tool ?? null,
    opened_at: at,
    ends_at: Number(fields.ends_at ?? at),
    ...justOpened,
  }
}

function kindOfCredential(id: string): string {
  if (id.startsWith('lgn_')) return 'login'
  return id.startsWith('api_') ? 'api-token' : 'connect-token'
}

/** @returns whether its end was on record, with nothing left behind */
async function closeLost(deps: RecoverDeps, row: SessionRow): Promise<boolean> {
  const { store, audit, clock } = deps
  const told = await endOf(deps, row.id)
  let event = told
  if (!event) {
    const session = { id: row.id, principalId: row.principal_id, grantId: row.grant_id, resourceId: row.resource_id }
    event = ended(session, 'daemon-lost', await sealLost(deps, row.id))
    await audit.appendRemoval(event)
  }
  const { reason, digest, entries, bytes_up: bytesUp = 0, bytes_down: bytesDown = 0 } = event.fields
  await store.ended(row.id, {
    endedAt: clock.now(),
    reason: String(reason),
    bytesUp: Number(bytesUp),
    bytesDown: Number(bytesDown),
    digest: digest === null ? null : String(digest),
    entries: Number(entries),
  })
  return told !== undefined && told.fields.unfinished !== 'closed'
}

/** Its end event, when the daemon died between writing that and closing the row. */
async function endOf({ audit }: RecoverDeps, sessionId: string): Promise<AuditEvent | undefined> {
  const spooled = audit.spooled().find(({ type, fields }) => type === 'session.ended' && fields.session === sessionId)
  if (spooled) return spooled
  return (await audit.search({ types: ['session.ended'], subject: sessionId, limit: 1 })).events[0]
}

async function sealLost({ recordings, logger }: RecoverDeps, sessionId: string) {
  try {
    return await recordings.recover(sessionId)
  } catch (error) {
    logger.error({ err: error, session: sessionId }, 'the recording of a lost session cannot be sealed')
    return undefined
  }
}
