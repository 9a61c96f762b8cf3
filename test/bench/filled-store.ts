/** A store as it is after most of a year: filled through the modules of the product, so that every MAC and the chain are right. */
import path from 'node:path'
import { grantEvent } from '../../src/access/grants/grant-events.ts'
import type { AccessRequest } from '../../src/access/requests/request.ts'
import { createAccessStore } from '../../src/access/rows/access-store.ts'
import { grantToRow, requestToRow, type StoredGrant, signRow as signAccess } from '../../src/access/rows/rows.ts'
import type { AuditEvent } from '../../src/audit/audit.ts'
import { createAuditLog } from '../../src/audit/create-audit.ts'
import { openJudgedStore, openMark } from '../../src/daemon/judged-store.ts'
import { configOf } from '../../src/daemon/stopped-daemon.ts'
import { type Row as IdentityRow, signRow as signIdentity } from '../../src/identity/signed-rows.ts'
import { signRow as signSession } from '../../src/sessions/session-macs.ts'
import { justOpened, type SessionRow } from '../../src/sessions/session-store.ts'
import { newId } from '../../src/store/ids.ts'
import type { WithoutMac } from '../../src/store/signed-rows.ts'
import { createLogger } from '../../src/telemetry/logger.ts'
import { createMetrics } from '../../src/telemetry/metrics.ts'
import type { DaemonFiles } from '../sandbox/daemon-files.ts'

export interface Size {
  readonly people: number
  readonly grants: number
  readonly events: number
}

/** What the store has one of, to make the others by. */
export interface Pattern {
  readonly grant: StoredGrant
  readonly request: AccessRequest
}

export interface PastGrant extends Pattern {
  readonly session: WithoutMac<SessionRow>
}

export interface PastEvent {
  readonly at: number
  readonly event: AuditEvent
}

const dayMs = 86_400_000
const hourMs = 3_600_000
const days = 300
const eventsBetweenCheckpoints = 1000
const rowsAtOnce = 500

/** One in ten is live, as many as people have at a time; of the others most expired, the rest were revoked or given back. */
export function pastGrants({ people, grants }: Omit<Size, 'events'>, { grant, request }: Pattern, now: number) {
  const principals = Array.from({ length: people }, () => newId('prn'))
  const past = Array.from({ length: grants }, (_, i): PastGrant => {
    const isLive = i % 10 === 9
    const startsAt = isLive ? now - 60_000 : now - days * dayMs + Math.floor((i * (days - 1) * dayMs) / grants)
    const endsAt = startsAt + request.durationMs
    const endedAt = startsAt + Math.min(hourMs, request.durationMs)
    const principalId = principals[i % people] ?? ''
    const asked: AccessRequest = {
      ...request,
      id: newId('req'),
      requesterId: principalId,
      beneficiaryId: principalId,
      createdAt: startsAt,
      endedAt: startsAt,
    }
    const given: StoredGrant = { ...grant, id: newId('grt'), requestId: asked.id, principalId, startsAt, endsAt }
    const ended = { ...given, version: 2, endText: 'it is over' }
    const [state, reason] = waysToEnd[i % waysToEnd.length] ?? ['expired', 'grant-expired']
    const last: StoredGrant = isLive
      ? given
      : { ...ended, state, endReason: reason, endedAt: state === 'expired' ? endsAt : endedAt }
    return { request: asked, grant: last, session: sessionOf(last, endedAt - 1000) }
  })
  return { principals, past }
}

const waysToEnd = [
  ['expired', 'grant-expired'],
  ['revoked', 'grant-revoked'],
  ['expired', 'grant-expired'],
  ['returned', 'grant-returned'],
] as const

function sessionOf(grant: StoredGrant, endedAt: number): WithoutMac<SessionRow> {
  const openedAt = grant.startsAt + 1000
  return {
    ...justOpened,
    id: newId('ses'),
    principal_id: grant.principalId,
    principal_name: 'someone@example.com',
    grant_id: grant.id,
    request_id: grant.requestId,
    resource_id: grant.resourceId,
    kind: grant.kind,
    level: grant.level,
    credential_kind: 'connect-token',
    credential_id: newId('dev'),
    daemon_id: 'dmn_before',
    client_address: '192.0.2.7',
    client_via: 'postgres',
    tool: 'psql',
    opened_at: openedAt,
    started_at: openedAt,
    ends_at: grant.endsAt,
    ended_at: endedAt,
    end_reason: 'client-closed',
  }
}

/** Of these grants and their sessions, and so many denials that there are as many events as asked for; oldest first. */
export function pastEvents(past: readonly PastGrant[], count: number): PastEvent[] {
  const events = past.flatMap(eventsOf)
  const first = past[0]
  if (!first || events.length > count) throw new Error(`${past.length} grants make ${events.length} events`)
  const denials = Array.from({ length: count - events.length }, (_, i): PastEvent => {
    const { grant } = past[i % past.length] ?? first
    const fields = { resource: grant.resourceId, code: 'GRANT_REQUIRED', via: 'postgres' }
    return { at: grant.startsAt - 1000, event: { type: 'session.denied', actor: grant.principalId, fields, text } }
  })
  return [...events, ...denials].sort((a, b) => a.at - b.at)
}

const text = { name: 'someone@example.com', address: '192.0.2.7' }

function eventsOf({ grant, request, session }: PastGrant): PastEvent[] {
  const { principalId: actor, startsAt } = grant
  const given = { ...grant, version: 1 }
  const login = newId('lgn')
  const facts = { session: session.id, grant: grant.id, resource: grant.resourceId }
  const began = { request: request.id, level: grant.level, credential: session.credential_id, ends_at: grant.endsAt }
  const asked = { request: request.id, resource: grant.resourceId, level: grant.level, version: 1 }
  const over = { reason: String(session.end_reason), digest: null, entries: 0, bytes_up: 0, bytes_down: 0 }
  const at = (ms: number, type: AuditEvent['type'], fields: AuditEvent['fields']): PastEvent => ({
    at: ms,
    event: { type, actor, fields, text },
  })
  const end =
    grant.state === 'active' || grant.endedAt === null
      ? []
      : [{ at: grant.endedAt, event: grantEvent(`grant.${grant.state}`, actor, grant, { reason: 'it is over' }) }]
  return [
    at(startsAt - 3000, 'login.succeeded', { login, via: 'web' }),
    at(startsAt - 1, 'request.created', asked),
    { at: startsAt, event: grantEvent('grant.created', actor, given, {}, { approved_request: request.id }) },
    at(startsAt, 'connect-token.issued', { token: session.credential_id, login, expires_at: grant.endsAt }),
    at(session.opened_at, 'session.started', { ...facts, ...began }),
    at(session.ended_at ?? startsAt, 'session.ended', { ...facts, ...over }),
    at(session.ended_at ?? startsAt, 'login.ended', { login, expires_at: grant.endsAt }),
    ...end,
  ]
}

/**
 * Fills the SQLite store of a daemon that is stopped.
 * @param files its store has one grant, by the rule that all of them are of
 */
export async function fillStore(files: DaemonFiles, { people, grants, events }: Size): Promise<void> {
  await using closing = new AsyncDisposableStack()
  const config = await configOf(files)
  const logger = createLogger({ level: 'silent' })
  const judged = await openJudgedStore(config, logger, closing)
  const { db, keyring, installation, judgement } = judged
  if (!judgement.isOpen) throw new Error(judgement.why)
  const access = createAccessStore(db, keyring)
  const grant = (await access.activeGrants())[0]?.value
  const request = grant && (await access.request(grant.requestId))?.value
  if (!request) throw new Error('the store has no grant to go by')
  const holder = await db.selectFrom('principals').selectAll().where('id', '=', grant.principalId).executeTakeFirst()
  if (!holder) throw new Error('nobody holds the grant')
  const { principals, past } = pastGrants({ people, grants }, { grant, request }, Date.now())

  const rows = {
    principals: principals.map((id) => signIdentity(keyring, 'principals', someone(holder, id))),
    requests: past.map((one) => signAccess(keyring, 'requests', requestToRow(one.request))),
    grants: past.map((one) => signAccess(keyring, 'grants', grantToRow(one.grant))),
    sessions: past.map((one) => signSession(keyring, 'sessions', one.session)),
  }
  await db.transaction().execute(async (trx) => {
    for (const part of parts(rows.principals)) await trx.insertInto('principals').values(part).execute()
    for (const part of parts(rows.requests)) await trx.insertInto('requests').values(part).execute()
    for (const part of parts(rows.grants)) await trx.insertInto('grants').values(part).execute()
    for (const part of parts(rows.sessions)) await trx.insertInto('sessions').values(part).execute()
  })

  let now = 0
  const mark = await openMark(config, { ...judged, judgement }, closing)
  const audit = await createAuditLog({
    db,
    installation,
    keyring,
    clock: { now: () => now },
    logger,
    metrics: createMetrics(),
    config: { ...config.audit, checkpointEvents: Number.POSITIVE_INFINITY },
    spoolPath: path.join(config.stateDir, 'audit.spool'),
    mark,
    fork: judgement.found.fork,
    heads: () => [],
  })
  closing.defer(() => audit.stop())
  for (const part of parts(pastEvents(past, events), eventsBetweenCheckpoints)) {
    const appended = part.map(({ at, event }) => {
      now = at // read by append before it waits
      return audit.append(event)
    })
    await Promise.all(appended)
    await audit.checkpoint()
  }
  now = Date.now()
}

function someone(holder: IdentityRow<'principals'>, id: string): Omit<IdentityRow<'principals'>, 'mac'> {
  const { mac: _, ...row } = holder
  const email = `${id}@example.com`
  return { ...row, id, subject: id, username: id, email, email_key: email }
}

function* parts<T>(all: readonly T[], size = rowsAtOnce): Generator<readonly T[]> {
  for (let i = 0; i < all.length; i += size) yield all.slice(i, i + size)
}
