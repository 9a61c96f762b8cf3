import type { EndReason, SealedRecording } from '../../proxy/session.ts'
import type { AuditEvent, AuditLog, AuditRecord } from '../audit/audit.ts'
import { readLoggedRows } from '../audit/logged-rows.ts'
import { readEvents } from '../audit/read-events.ts'
import type { Daemons } from '../daemons/daemons.ts'
import type { Recordings } from '../recordings/recordings.ts'
import type { Macs, WithoutMac } from '../store/signed-rows.ts'
import type { Clock } from '../telemetry/clock.ts'
import type { Logger } from '../telemetry/logger.ts'
import { ended } from './open-session.ts'
import { isOpenByLog, isSigned, startedRows } from './session-macs.ts'
import { justOpened, type SessionEnd, type SessionRow, type SessionStore } from './session-store.ts'

export interface RecoverDeps {
  readonly store: SessionStore
  readonly audit: Pick<AuditLog, 'appendRemoval' | 'search' | 'spooled'>
  readonly recordings: Pick<Recordings, 'recover'>
  readonly keyring: Macs
  readonly clock: Clock
  readonly logger: Logger
  readonly daemons: Pick<Daemons, 'id' | 'isShared' | 'gone'>
}

/** A session that a previous run left open. */
export interface LostSession {
  readonly row: SessionRow
  /** Its end is on record with nothing left behind: only its row was open. */
  readonly isOver: boolean
}

/**
 * Closes the sessions that previous runs of this daemon left open, by the rows and by the log. On a store that it has for itself
 * they are all its own.
 */
export async function recoverSessions(deps: RecoverDeps): Promise<LostSession[]> {
  const { audit, daemons, store } = deps
  await restoreRows(deps, daemons.id, (id) => isOpenByLog(audit, id))
  const ids = await store.daemonsWithOpen()
  const { unknown } = await daemons.gone(ids)
  await sealAfterLoss(deps)
  const isOwn = (id: string) => !daemons.isShared || id === daemons.id || unknown.includes(id)
  return await closeAll(deps, await leftOpen(store, ids.filter(isOwn)), (row) => sealLost(deps, row.id))
}

/**
 * Closes the sessions of other daemons that are gone. Their recordings are not here: the log says so by a digest of null.
 * @param lost daemons that were given up just now
 */
export async function closeSessionsOfLost(deps: RecoverDeps, lost: readonly string[]): Promise<LostSession[]> {
  const { store } = deps
  for (const id of lost) await restoreRows(deps, id)
  const gone = await goneOf(deps, await store.daemonsWithOpen())
  const rows = await leftOpen(store, gone)
  const still = await goneOf(deps, gone) // one that came back meanwhile may have opened others
  return await closeAll(
    deps,
    rows.filter(({ daemon_id }) => still.includes(daemon_id)),
    async () => undefined,
  )
}

/**
 * Closes rows of this daemon that stand open though nothing runs: the commit of their start came through though its caller was told
 * that it failed, or their end had to go to the spool, without its row.
 * @param runs whether a session is open here, or is just being opened or ended
 */
export async function closeForgotten(deps: RecoverDeps, runs: (id: string) => boolean): Promise<number> {
  const { daemons, store } = deps
  const ids = (await store.openAt(daemons.id)).filter((id) => !runs(id))
  let closed = 0
  for (const id of ids) {
    const row = await store.find(id)
    if (row && row.ended_at === null && (await closeLost(deps, row, () => sealLost(deps, id), 'open-failed')))
      closed += 1
  }
  return closed
}

async function goneOf({ daemons }: RecoverDeps, ids: readonly string[]): Promise<string[]> {
  const { lost, unknown } = await daemons.gone(ids.filter((id) => id !== daemons.id))
  return [...lost, ...unknown]
}

async function leftOpen(store: SessionStore, ids: readonly string[]): Promise<SessionRow[]> {
  return ids.length === 0 ? [] : await store.leftOpen(ids)
}

type Seal = (row: SessionRow) => Promise<SealedRecording | undefined>

async function closeAll(deps: RecoverDeps, rows: readonly SessionRow[], seal: Seal): Promise<LostSession[]> {
  const lost: LostSession[] = []
  for (const row of rows) {
    const closed = await closeLost(deps, row, seal)
    if (closed) lost.push({ row, isOver: closed.isOver })
  }
  return lost
}

/**
 * What a daemon opened before it was gone, by the log: a change of the store meanwhile hides no session.
 * @param isOpen of one whose row says that it has ended; by default that is believed, since the event may be in the spool of its daemon
 */
async function restoreRows(
  deps: RecoverDeps,
  daemonId: string,
  isOpen = async (_: string): Promise<boolean> => false,
): Promise<void> {
  const { audit, store, keyring, logger } = deps
  const since = (await startOf(deps, daemonId))?.at ?? 0
  const ends = audit.spooled().filter(({ type }) => type === 'session.ended')
  const ended = new Set<unknown>(ends.map(({ fields }) => fields.session))
  for await (const { fields } of readEvents(audit, ['session.ended'], since)) ended.add(fields.session)
  for await (const { id, event, row, problem } of readLoggedRows(audit, startedRows(store), since)) {
    const { daemon = daemonId } = event.fields
    if (daemon !== daemonId) continue
    const isClosed = row !== undefined && row.ended_at !== null && !ended.has(id) && (await isOpen(id))
    if (row && problem === null && !isClosed && (row.mac === null || isSigned(keyring, 'sessions', row))) continue
    const what = problem ?? (isClosed ? 'it says that the session has ended' : 'its signature is not valid')
    logger.error({ session: id, problem: what }, 'the row of a session was changed outside the broker; restoring it')
    await store.restore(rowOf(id, event, String(daemon)))
    const fields = { table: 'sessions', row: id, problem: what }
    await audit.appendRemoval({ type: 'store.refused', actor: 'system', fields })
  }
}

/** Was this daemon given up since it started last? Then the recordings of what was closed meanwhile are still to be sealed. */
async function sealAfterLoss(deps: RecoverDeps): Promise<void> {
  const { audit, daemons, store } = deps
  const [lost] = (await audit.search({ types: ['daemon.lost'], subject: daemons.id, limit: 1 })).events
  const started = await startOf(deps, daemons.id)
  if (!lost || (started && started.seq > lost.seq)) return
  for (const { id: session } of await store.unsealed(daemons.id)) {
    const [told] = (await audit.search({ types: ['recording.sealed'], subject: session, limit: 1 })).events
    const sealed = told ? undefined : await sealLost(deps, session)
    if (!sealed) continue
    const { digest, entries } = sealed
    await audit.appendRemoval({ type: 'recording.sealed', actor: 'system', fields: { session, digest, entries } })
  }
}

/** Its last start; events of earlier versions do not say which daemon. */
async function startOf({ audit }: RecoverDeps, daemonId: string): Promise<AuditRecord | undefined> {
  const types = ['daemon.started'] as const
  const [own] = (await audit.search({ types, subject: daemonId, limit: 1 })).events
  const [any] = own ? [own] : (await audit.search({ types, limit: 1 })).events
  return any
}

/** Open, so that it is closed with what its end event says, or as lost. */
function rowOf(id: string, { at, actor, fields, text }: AuditRecord, daemonId: string): WithoutMac<SessionRow> {
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
    daemon_id: daemonId,
    client_address: text?.address ?? '',
    client_via: field('via'),
    tool: text?.tool ?? null,
    opened_at: at,
    ends_at: Number(fields.ends_at ?? at),
    ...justOpened,
  }
}

function kindOfCredential(id: string): SessionRow['credential_kind'] {
  if (id.startsWith('lgn_')) return 'login'
  return id.startsWith('api_') ? 'api-token' : 'connect-token'
}

/** @returns whether its end was on record, with nothing left behind; undefined when another daemon closes it */
async function closeLost(
  deps: RecoverDeps,
  row: SessionRow,
  seal: Seal,
  reason: EndReason = 'daemon-lost',
): Promise<{ isOver: boolean } | undefined> {
  const { store, audit } = deps
  const told = await endOf(deps, row.id)
  if (told) {
    await store.ended(row.id, bookOf(deps, told))
    return { isOver: told.fields.unfinished !== 'closed' }
  }
  const session = { id: row.id, principalId: row.principal_id, grantId: row.grant_id, resourceId: row.resource_id }
  const event = ended(session, reason, await seal(row))
  const isClosed = await audit.appendRemoval(event, { claims: [store.ending(row.id, bookOf(deps, event))] })
  return isClosed ? { isOver: false } : undefined
}

function bookOf({ clock }: RecoverDeps, { fields }: AuditEvent): SessionEnd {
  const { reason, digest, entries, bytes_up: bytesUp = 0, bytes_down: bytesDown = 0 } = fields
  return {
    endedAt: clock.now(),
    reason: String(reason),
    bytesUp: Number(bytesUp),
    bytesDown: Number(bytesDown),
    digest: digest === null ? null : String(digest),
    entries: Number(entries),
  }
}

/** Its end event, when the daemon died between writing that and closing the row. */
async function endOf({ audit }: RecoverDeps, sessionId: string): Promise<AuditEvent | undefined> {
  const spooled = audit.spooled().find(({ type, fields }) => type === 'session.ended' && fields.session === sessionId)
  if (spooled) return spooled
  return (await audit.search({ types: ['session.ended'], subject: sessionId, limit: 1 })).events[0]
}

/** @returns undefined when it cannot be sealed, which is logged */
export async function sealLost(
  { recordings, logger }: Pick<RecoverDeps, 'recordings' | 'logger'>,
  sessionId: string,
): Promise<SealedRecording | undefined> {
  try {
    return await recordings.recover(sessionId)
  } catch (error) {
    logger.error({ err: error, session: sessionId }, 'the recording of a lost session cannot be sealed')
    return undefined
  }
}
