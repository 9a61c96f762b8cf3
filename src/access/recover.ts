import type { AuditEvent, AuditLog, AuditType } from '../audit/audit.ts'
import { voidUntil } from '../audit/mark/fork.ts'
import type { RemovalWindows } from '../audit/mark/standing-removals.ts'
import { readEvents } from '../audit/read-events.ts'
import type { Core } from './core.ts'
import { endOf } from './grants/grant-events.ts'
import { pendingForMs } from './requests/ask-for-access.ts'
import type { RequestStatus } from './requests/request.ts'
import { longestGrantMs } from './rules/load-rules.ts'

/** Removals are audited after their effect, so a row that is older than such an event was restored from outside. */
const grantRemovals: readonly AuditType[] = ['grant.shortened', 'grant.revoked', 'grant.returned', 'grant.ended']
const requestRemovals: readonly AuditType[] = [
  'request.cancelled',
  'request.expired',
  'request.voided',
  'decision.made',
]

/** How far back {@link recover} reads. */
export function accessRemovals(): RemovalWindows {
  const all = (types: readonly AuditType[], ms: number) => types.map((type) => [type, ms] as const)
  return Object.fromEntries([...all(grantRemovals, longestGrantMs), ...all(requestRemovals, pendingForMs)])
}

const requestEnds: readonly RequestStatus[] = ['denied', 'cancelled', 'expired', 'refused']

/** At start: rebuilds the state in memory, re-applies what only the spool knows, and ends what has expired. */
export async function recover(core: Core, audit: Pick<AuditLog, 'search' | 'spooled'>): Promise<void> {
  const now = core.clock.now()
  const spooled = audit.spooled()
  const isSpooled = new Set(spooled.map(identify))
  // What is in the spool may have reached the chain too, but not the row.
  const isOld = (event: AuditEvent) => !isSpooled.has(identify(event))
  for await (const event of readEvents(audit, grantRemovals, now - longestGrantMs))
    if (isOld(event)) noteGrant(core, event)
  for await (const event of readEvents(audit, requestRemovals, now - pendingForMs))
    if (isOld(event) && !isBeforeItsEffect(event)) noteRequest(core, event)
  await core.grants.load()
  for (const event of spooled) await applyAgain(core, event)
  await core.grants.expire()
  await endBeforeRestore(core, await voidUntil(audit))
}

async function endBeforeRestore(core: Core, instant: number): Promise<void> {
  if (instant === 0) return
  const text = 'the store of the broker was restored from an earlier state; request the access again'
  await core.grants.endUntil(instant, {
    state: 'revoked',
    reason: 'grant-revoked',
    text,
    event: 'grant.revoked',
    actor: 'system',
    auditText: { reason: text },
  })
  await core.requests.endUntil(instant, text)
}

function identify({ type, fields }: AuditEvent): string {
  return `${type} ${fields.grant ?? fields.request} ${fields.version}`
}

export function noteGrant(core: Core, { fields }: AuditEvent): void {
  const { grant, version } = fields
  if (typeof grant !== 'string' || typeof version !== 'number') return
  core.grants.noteAudited(grant, version, Math.max(instant(fields.ends_at), instant(fields.was_ends_at)))
}

export function noteRequest(core: Core, { fields }: AuditEvent): void {
  const { request, version } = fields
  if (typeof request !== 'string' || typeof version !== 'number') return
  core.requests.noteAudited(request, version, instant(fields.expires_at))
}

/** Earlier versions audited an approval before they wrote its row, which may not have come to pass. */
function isBeforeItsEffect({ type, fields }: AuditEvent): boolean {
  return type === 'decision.made' && fields.verdict !== 'deny'
}

function instant(value: unknown): number {
  return typeof value === 'number' ? value : 0
}

async function applyAgain(core: Core, event: AuditEvent): Promise<void> {
  const { type, fields, text } = event
  const by = text?.name ? ` by ${text.name}` : ''
  const because = text?.reason ? `: ${text.reason}` : ''
  const how = endOf(event)
  if (how && grantRemovals.includes(type) && typeof fields.grant === 'string') {
    await core.grants.endUnaudited(fields.grant, how)
    return
  }
  const status = requestEnds.find((one) => one === fields.status)
  if (!requestRemovals.includes(type) || status === undefined || typeof fields.request !== 'string') return
  const pending = (await core.requests.pending()).find((request) => request.id === fields.request)
  if (!pending) return
  await core.requests.endUnaudited(pending, { status: status as 'denied', reason: `${status}${by}${because}` })
}
