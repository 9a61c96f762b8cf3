import type { CompiledQuery } from 'kysely'
import type { OpenAsk, SessionControls } from '../../proxy/doorman.ts'
import {
  BrokerError,
  type EndReason,
  type PermitFacts,
  type RecordingStart,
  type SealedRecording,
} from '../../proxy/session.ts'
import type { AccessAnswer, AccessService } from '../access/access.ts'
import type { AuditEvent, AuditLog, AuditValue } from '../audit/audit.ts'
import type { Daemons } from '../daemons/daemons.ts'
import { admit, type SessionDoor } from '../identity/admission.ts'
import type { IdentityService } from '../identity/identity.ts'
import type { Recordings } from '../recordings/recordings.ts'
import type { Changes } from '../store/changes.ts'
import { newId } from '../store/ids.ts'
import type { Clock } from '../telemetry/clock.ts'
import type { LiveSession, LiveSessions } from './live-sessions.ts'
import type { KnownSession, SessionKinds } from './session-kinds.ts'
import { justOpened, type OpenElsewhere, type SessionStore, type SessionEnd as StoredEnd } from './session-store.ts'
import type { StartedRows } from './started-rows.ts'

export interface SessionLimits {
  readonly sessions: number
  readonly sessionsPerPrincipal: number
  readonly sessionsPerResource: number
  readonly sessionIdleMs: number
}

export interface OpenDeps {
  readonly access: Pick<AccessService, 'check'>
  readonly identity: Pick<IdentityService, 'credential' | 'principal'>
  readonly audit: Pick<AuditLog, 'append' | 'appendRemoval'>
  readonly recordings: Pick<Recordings, 'create'>
  readonly store: SessionStore
  readonly live: LiveSessions
  readonly kinds: SessionKinds
  readonly limits: SessionLimits
  readonly clock: Clock
  readonly daemons: Pick<Daemons, 'id' | 'requireClock'>
  readonly changes: Pick<Changes, 'count'>
  readonly startedRows: Pick<StartedRows, 'takeAll'>
  isDraining(): boolean
}

export type Allowed = Extract<AccessAnswer, { allowed: true }>

/** By what a session opens. */
export interface Opening {
  readonly grant: Pick<Allowed['grant'], 'id' | 'requestId' | 'level' | 'endsAt'>
  readonly held: Allowed['held']
}

/** Decides whether a session may open. @param grantId this grant and no other. @throws BrokerError with the reason */
export type Authorize = (ask: OpenAsk, grantId?: string) => Promise<Opening>

type Carrier = Pick<SessionControls, 'cut' | 'runsUntil'>

/**
 * The only way to open a session: check, register, begin the recording, audit and store, and only then return the facts of a permit.
 * There is no gap: a revocation that comes after registering finds the session in `live`, and one that may have come between the
 * reading and that has everything checked again.
 * @throws BrokerError with the reason; a refusal of a known principal is audited
 */
export function openSession(deps: OpenDeps) {
  const byGrant: Authorize = (ask, grantId) => check(deps, ask, { grantId })
  return async (ask: OpenAsk, carrier: Carrier, authorize = byGrant): Promise<KnownSession> => {
    try {
      return await open(deps, ask, carrier, authorize)
    } catch (error) {
      await deps.audit.appendRemoval(denied(ask, error))
      throw error
    }
  }
}

async function open(deps: OpenDeps, ask: OpenAsk, carrier: Carrier, authorize: Authorize): Promise<KnownSession> {
  const id = deps.daemons.id
  const changesBefore = deps.changes.count
  const [first, elsewhere] = await Promise.all([authorize(ask), deps.store.openElsewhere(id, ask.identity.principalId)])
  checkLimits(deps, ask, first, elsewhere)
  if (ask.to) deps.kinds.engineOf(first.held, ask.to) // where it may not lead is refused before anything begins
  const session = liveSession(deps, ask, first, carrier)
  deps.live.add(session)
  const isUnchanged = deps.changes.count === changesBefore
  let recording: RecordingStart | undefined
  let isAudited = false
  try {
    const answer = isUnchanged ? first : await checkAgain(deps, ask, session, authorize)
    recording = await deps.recordings.create({
      sessionId: session.id,
      principalId: session.principalId,
      grantId: session.grantId,
      resourceId: session.resourceId,
      kind: session.kind,
      startedAt: session.openedAt,
    })
    const row = deps.store.inserting(newRow(deps, ask, answer, session))
    await appendWithStarts(deps, started(deps, ask, answer, session), row)
    isAudited = true
    await storeMove(deps, session)
    const { held } = answer
    const { credential } = session
    const facts = toFacts(deps, ask, answer, session, recording)
    const lease = deps.kinds.leaseAtHand({ facts, held, credential })
    const opened = { facts: { ...facts, lease }, held, credential }
    throwIfCut(deps, session)
    return opened
  } catch (error) {
    const sealed = recording && { digest: recording.head, entries: 0 }
    if (isAudited) {
      const row = deps.store.ending(session.id, openFailed(deps, sealed))
      await deps.audit.appendRemoval(ended(session, 'open-failed', sealed), { claims: [row] })
    }
    deps.live.remove(session.id)
    throw error
  }
}

/** What others reported of their start meanwhile needs no transaction of its own then. */
async function appendWithStarts(deps: OpenDeps, event: AuditEvent, row: CompiledQuery): Promise<void> {
  const others = deps.startedRows.takeAll()
  try {
    await deps.audit.append(event, [row, ...others.writes])
  } catch (error) {
    others.putBack()
    throw error
  }
}

/** Also when the grant ends has perhaps changed. */
async function checkAgain(
  deps: OpenDeps,
  ask: OpenAsk,
  { grantId }: LiveSession,
  authorize: Authorize,
): Promise<Opening> {
  const answer = await authorize(ask, grantId)
  deps.live.move(grantId, answer.grant.endsAt)
  return answer
}

type CheckAsk = Pick<OpenAsk, 'identity' | 'resourceId' | 'level' | 'client' | 'carrier'>

/** The grant, and the credential at the door through which it comes. */
export async function check(
  deps: Pick<OpenDeps, 'access' | 'identity' | 'kinds' | 'clock' | 'daemons'>,
  ask: CheckAsk,
  {
    grantId = ask.identity.bound?.grantId,
    door = doorOf(ask),
  }: { grantId?: string | undefined; door?: SessionDoor } = {},
): Promise<Allowed> {
  deps.daemons.requireClock()
  const bound = ask.identity.bound
  const level = bound?.level ?? ask.level
  const { principalId } = ask.identity
  const principal = deps.identity.principal(principalId)
  // Once for both, and anew for each check.
  const read = (id: string) => (id === principalId ? principal : deps.identity.principal(id))
  const [answer, credential] = await Promise.all([
    deps.access.check({
      principalId,
      read,
      resource: bound?.resourceId ?? ask.resourceId,
      ...(level === undefined ? {} : { level }),
      ...(grantId === undefined ? {} : { grantId }),
    }),
    deps.identity.credential(ask.identity.credential, read),
  ])
  if (!answer.allowed) throw new BrokerError(answer.code, answer.reason, { hint: answer.hint })
  if (!isCarriedBy(deps.kinds, answer.held.resource.kind, ask.carrier)) {
    throw new BrokerError('UNSUPPORTED', `${answer.held.resource.id} cannot be reached by this protocol`)
  }
  if (!credential) throw new BrokerError('TOKEN_INVALID')
  admit({ door, by: credential, from: ask.client.address, rule: answer.rule, now: deps.clock.now() })
  return answer
}

const doorByWay = { listener: 'port', websocket: 'websocket', api: 'credentials' } as const

function doorOf({ client }: CheckAsk): SessionDoor {
  return doorByWay[client.via]
}

function isCarriedBy(kinds: SessionKinds, kind: string, carrier: OpenAsk['carrier']): boolean {
  return 'protocol' in carrier ? kinds.protocolsOf(kind).includes(carrier.protocol) : kind === carrier.kind
}

/** In total those of this daemon count, otherwise those of all. */
function checkLimits(deps: OpenDeps, ask: OpenAsk, answer: Opening, elsewhere: readonly OpenElsewhere[]): void {
  const { live, limits } = deps
  const { principalId } = ask.identity
  const { id: resourceId } = answer.held.resource
  const others = (matches: (row: OpenElsewhere) => boolean) =>
    elsewhere.reduce((sum, row) => (matches(row) ? sum + row.count : sum), 0)
  if (deps.isDraining()) throw new BrokerError('DRAINING')
  if (live.size >= limits.sessions) throw new BrokerError('TOO_MANY_SESSIONS', `${limits.sessions} in total`)
  const ofPrincipal = live.count((session) => session.principalId === principalId) + others(({ mine }) => mine === 1)
  if (ofPrincipal >= limits.sessionsPerPrincipal)
    throw new BrokerError('TOO_MANY_SESSIONS', `${ofPrincipal} of them are yours`)
  const ofResource =
    live.count((session) => session.resourceId === resourceId) + others((row) => row.resource_id === resourceId)
  if (ofResource >= limits.sessionsPerResource)
    throw new BrokerError('TOO_MANY_SESSIONS', `${ofResource} to this resource`)
}

function liveSession(deps: OpenDeps, ask: OpenAsk, answer: Opening, carrier: Carrier): LiveSession {
  return {
    id: newId('ses'),
    principalId: ask.identity.principalId,
    grantId: answer.grant.id,
    resourceId: answer.held.resource.id,
    kind: answer.held.resource.kind,
    credential: ask.identity.credential,
    openedAt: deps.clock.now(),
    endsAt: answer.grant.endsAt,
    carrier,
  }
}

function newRow(deps: OpenDeps, ask: OpenAsk, answer: Opening, session: LiveSession) {
  return {
    id: session.id,
    principal_id: session.principalId,
    principal_name: ask.identity.name,
    grant_id: session.grantId,
    request_id: answer.grant.requestId,
    resource_id: session.resourceId,
    kind: session.kind,
    level: answer.grant.level,
    credential_kind: session.credential.kind,
    credential_id: session.credential.id,
    daemon_id: deps.daemons.id,
    client_address: ask.client.address,
    client_via: ask.client.via,
    tool: ask.tool?.slice(0, 128).toWellFormed().replaceAll('\0', '') ?? null,
    opened_at: session.openedAt,
    ends_at: session.endsAt,
    ...justOpened,
  }
}

/** The end of a session that was audited as started. */
export function ended(
  session: Pick<LiveSession, 'id' | 'principalId' | 'grantId' | 'resourceId'>,
  reason: EndReason,
  sealed: SealedRecording | null | undefined,
  more: Record<string, AuditValue> = {},
): AuditEvent {
  return {
    type: 'session.ended',
    actor: session.principalId,
    fields: {
      session: session.id,
      grant: session.grantId,
      resource: session.resourceId,
      reason,
      digest: sealed?.digest ?? null,
      entries: sealed?.entries ?? 0,
      ...more,
    },
  }
}

function toFacts(
  deps: OpenDeps,
  ask: OpenAsk,
  answer: Opening,
  session: LiveSession,
  recording: RecordingStart,
): PermitFacts {
  return {
    sessionId: session.id,
    principalId: session.principalId,
    principalName: ask.identity.name,
    grantId: session.grantId,
    requestId: answer.grant.requestId,
    resourceId: session.resourceId,
    kind: session.kind,
    level: answer.grant.level,
    endsAt: deps.live.get(session.id)?.endsAt ?? session.endsAt,
    limits: { idleTimeoutMs: deps.limits.sessionIdleMs },
    recording,
    engine: deps.kinds.engineOf(answer.held, ask.to),
    lease: null,
  }
}

/** Called last: a cut during the earlier steps was noted in `live`, and an end that has passed is. */
function throwIfCut({ live }: OpenDeps, session: LiveSession): void {
  const notice = live.noticeOf(session.id)
  if (notice) throw new BrokerError('GRANT_DENIED', notice.text)
}

/** An end that moved before the row was there. */
async function storeMove({ live, store }: OpenDeps, { id, endsAt }: LiveSession): Promise<void> {
  const now = live.get(id)
  if (now && now.endsAt !== endsAt) await store.moved([id], now.endsAt)
}

function openFailed(deps: OpenDeps, sealed?: SealedRecording): StoredEnd {
  return {
    endedAt: deps.clock.now(),
    reason: 'open-failed',
    bytesUp: 0,
    bytesDown: 0,
    digest: sealed?.digest ?? null,
    entries: sealed?.entries ?? 0,
  }
}

function started({ daemons }: OpenDeps, ask: OpenAsk, answer: Opening, session: LiveSession) {
  return {
    type: 'session.started' as const,
    actor: session.principalId,
    fields: {
      session: session.id,
      grant: session.grantId,
      request: answer.grant.requestId,
      resource: session.resourceId,
      level: answer.grant.level,
      via: ask.client.via,
      credential: ask.identity.credential.id,
      ends_at: session.endsAt,
      daemon: daemons.id,
    },
    text: {
      name: ask.identity.name,
      address: ask.client.address,
      ...(ask.tool ? { tool: ask.tool.slice(0, 128) } : {}),
    },
  }
}

/** The audit event of a refusal. */
export function denied(ask: Omit<OpenAsk, 'carrier'>, error: unknown) {
  const { code, message } = error instanceof BrokerError ? error : new BrokerError('INTERNAL')
  return {
    type: 'session.denied' as const,
    actor: ask.identity.principalId,
    fields: {
      resource: ask.identity.bound?.resourceId ?? ask.resourceId.slice(0, 256),
      level: ask.level ?? ask.identity.bound?.level ?? null,
      code,
      via: ask.client.via,
      grant: ask.identity.bound?.grantId ?? null,
      credential: ask.identity.credential.id,
    },
    text: { name: ask.identity.name, address: ask.client.address, reason: message },
  }
}
