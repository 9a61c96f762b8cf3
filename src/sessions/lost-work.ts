import type { LostWork } from '../../proxy/doorman.ts'
import { BrokerError, type EngineFacts, type PermitFacts } from '../../proxy/session.ts'
import type { AuditLog } from '../audit/audit.ts'
import type { Held } from '../catalog/kind.ts'
import type { Logger } from '../telemetry/logger.ts'
import type { KnownSession, SessionKinds } from './session-kinds.ts'
import type { SessionRow } from './session-store.ts'
import type { SessionTunnels } from './tunnels.ts'

export interface LostWorkDeps {
  readonly kinds: SessionKinds
  /** What a session was held by; undefined: the rules in force know resource or level no longer, or mean others by them. */
  heldBy(row: Pick<SessionRow, 'grant_id' | 'resource_id' | 'level'>): Promise<Held | undefined>
  /** By the front that carries the protocol. */
  endLost(lost: LostWork): Promise<void>
  readonly tunnels: Pick<SessionTunnels, 'isLeftBy'>
  readonly audit: Pick<AuditLog, 'appendRemoval'>
  readonly logger: Logger
}

/** Sign-ins at the same time; targets throttle them. */
const mostAtOnce = 8

/**
 * Ends what sessions of a previous run left running at their targets: a daemon that is killed cancels nothing. The log says of each
 * what was ended and what could not be. Never rejects.
 * @param rows of sessions that were left open
 */
export async function endLostWork(deps: LostWorkDeps, rows: readonly SessionRow[]): Promise<void> {
  // Also those whose row does not say that they had started: that is written a moment later, or had to be restored from the log.
  const left = rows.filter(({ kind }) => deps.kinds.protocolOf(kind) !== undefined)
  const next = async (): Promise<void> => {
    for (let row = left.pop(); row; row = left.pop()) await endOne(deps, row)
  }
  await Promise.all(Array.from({ length: mostAtOnce }, next))
}

async function endOne(deps: LostWorkDeps, row: SessionRow): Promise<void> {
  const { id: session, grant_id: grant, resource_id: resource } = row
  const detail = detailOf(row)
  const fields = { session, grant, resource, ...processOf(detail) }
  try {
    await endWhatRuns(deps, row, detail)
    await deps.audit.appendRemoval({ type: 'session.work-ended', actor: 'system', fields })
  } catch (error) {
    const { code, message } = error instanceof BrokerError ? error : new BrokerError('INTERNAL')
    deps.logger.warn({ err: error, session }, 'what a lost session left running could not be ended')
    const event = { type: 'session.work-left' as const, actor: 'system', fields: { ...fields, code } }
    await deps.audit.appendRemoval({ ...event, text: { reason: message } })
  }
}

async function endWhatRuns(deps: LostWorkDeps, row: SessionRow, detail: Detail): Promise<void> {
  const { kinds, heldBy, endLost, tunnels } = deps
  const held = await heldBy(row)
  const engine = held && kinds.engineOf(held)
  const channels = kinds.channelsOf(row.kind)
  const address = channels ? engine?.address : readAddress(detail.target_address)
  if (!channels && !address)
    throw new BrokerError('TARGET_REFUSED', 'the target gave no proof of what served the session')
  if (!held || !engine || !address)
    throw new BrokerError('RESOURCE_UNKNOWN', 'resource or level are no longer in the configuration, or are others now')
  const session = lostSession(row, held, { ...engine, address }) // its name may lead elsewhere by now
  if (channels) await channels.endLost(session, (reason) => tunnels.isLeftBy(row.daemon_id, reason))
  else {
    const lease = await kinds.leaseToEnd(session)
    await endLost({ protocol: kinds.protocolOf(row.kind) ?? '', facts: session.facts, detail, lease })
  }
}

function lostSession(row: SessionRow, held: Held, engine: EngineFacts): KnownSession {
  const facts: PermitFacts = {
    sessionId: row.id,
    principalId: row.principal_id,
    principalName: row.principal_name,
    grantId: row.grant_id,
    requestId: row.request_id,
    resourceId: row.resource_id,
    kind: row.kind,
    level: row.level,
    endsAt: row.ends_at,
    limits: { idleTimeoutMs: 0 },
    recording: { file: '', offset: 0, head: '', digestKey: new Uint8Array() }, // sealed already
    engine,
    lease: null,
  }
  return { facts, held, credential: { kind: row.credential_kind, id: row.credential_id } }
}

/** @param text HOST:PORT, as the engine reported it */
function readAddress(text = ''): EngineFacts['address'] | undefined {
  const at = text.lastIndexOf(':')
  return at > 0 ? { host: text.slice(0, at), port: Number(text.slice(at + 1)) } : undefined
}

type Detail = Readonly<Record<string, string>>

/** The column is not part of the row's MAC: what is no object says nothing. */
function detailOf({ detail }: SessionRow): Detail {
  try {
    const read: unknown = JSON.parse(detail)
    const isObject = typeof read === 'object' && read !== null
    return isObject ? Object.fromEntries(Object.entries(read).map(([name, value]) => [name, String(value)])) : {}
  } catch {
    return {}
  }
}

/** What engines report of who serves a session at its target. */
const processMembers = ['backend_pid', 'backend_start', 'thread_id', 'server'] as const

function processOf(detail: Detail): Record<string, string> {
  const known = processMembers.flatMap((name) => (detail[name] ? [[name, detail[name]] as const] : []))
  return Object.fromEntries(known)
}
