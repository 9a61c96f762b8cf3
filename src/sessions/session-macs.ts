import type { AuditLog, AuditRecord } from '../audit/audit.ts'
import { sortedMembers } from '../audit/canonical.ts'
import { checkLoggedRows, differing, type LoggedRows } from '../audit/logged-rows.ts'
import { type Macs, type RowProblem, signedRows, unsignedRows } from '../store/signed-rows.ts'
import type { SessionTables } from './session-tables.ts'

type SessionRow = SessionTables['sessions']

/** What is read of the table. */
interface Rows {
  findAll(ids: readonly string[]): Promise<ReadonlyMap<string, SessionRow>>
  page(after: string, limit: number): Promise<readonly SessionRow[]>
}

/** The course of a session is free: its end is compared with the log. */
const course = [
  'detail',
  'started_at',
  'ends_at',
  'ended_at',
  'end_reason',
  'bytes_up',
  'bytes_down',
  'recording_entries',
  'recording_digest',
]

export const { signRow, isSigned } = signedRows<SessionTables>({ sessions: course }, sortedMembers)

/** Rows as they began, by the log. */
export function startedRows(store: Pick<Rows, 'findAll'>): LoggedRows<SessionRow> {
  return { where: 'session', type: 'session.started', field: 'session', find: store.findAll, differs: beganOtherwise }
}

function beganOtherwise(row: SessionRow, { actor, fields }: AuditRecord): string[] {
  return differing({
    principal: [row.principal_id, actor],
    grant: [row.grant_id, fields.grant],
    request: [row.request_id, fields.request],
    resource: [row.resource_id, fields.resource],
    level: [row.level, fields.level],
    credential: [row.credential_id, fields.credential],
  })
}

function endedRows(store: Pick<Rows, 'findAll'>): LoggedRows<SessionRow> {
  return { where: 'session', type: 'session.ended', field: 'session', find: store.findAll, differs: endedOtherwise }
}

function endedOtherwise(row: SessionRow, { fields }: AuditRecord): string[] {
  if (row.ended_at === null) return [] // the row follows the event; the next start closes what stays open
  return differing({
    reason: [row.end_reason, fields.reason],
    digest: [row.recording_digest, fields.digest],
    entries: [row.recording_entries, fields.entries],
  })
}

/** Whether a session has begun, and not ended, by the log: its row says both without a signature. */
export async function isOpenByLog({ search }: Pick<AuditLog, 'search'>, id: string): Promise<boolean> {
  const { events } = await search({ types: ['session.started', 'session.ended'], subject: id, limit: 2 })
  return events.length > 0 && events.every(({ type }) => type === 'session.started')
}

/** Rows that the broker did not write, that are not what the log says, or that are gone. */
export async function* checkSessionRows(
  audit: Pick<AuditLog, 'search'>,
  store: Rows,
  keyring: Macs,
): AsyncGenerator<RowProblem> {
  const known = new Set<string>()
  yield* checkLoggedRows(audit, startedRows(store), (id) => known.add(id))
  const ended = new Set<string>()
  yield* checkLoggedRows(audit, endedRows(store), (id) => ended.add(id))
  const isGood = (row: SessionRow) =>
    isSigned(keyring, 'sessions', row) || (row.mac === null && (known.has(row.id) || row.end_reason === 'open-failed'))
  const closed: string[] = []
  yield* unsignedRows('session', store.page, (row) => {
    if (row.ended_at !== null && known.has(row.id) && !ended.has(row.id)) closed.push(row.id)
    return isGood(row)
  })
  // It may have ended meanwhile.
  for (const id of closed)
    if (await isOpenByLog(audit, id))
      yield { where: 'session', at: id, what: 'its row says that it has ended, but the log does not' }
}
