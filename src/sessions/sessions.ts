import {
  BrokerError,
  type Doorman,
  type EndNotice,
  type ErrorCode,
  type SessionOutcome,
  type SessionPermit,
} from '../../proxy/session.ts'
import type { AuditEvent, AuditLog, AuditValue } from '../audit/audit.ts'
import type { IdentityService } from '../identity/identity.ts'
import type { Recordings } from '../recordings/recordings.ts'
import type { Changes } from '../store/changes.ts'
import type { Logger } from '../telemetry/logger.ts'
import type { Metrics } from '../telemetry/metrics.ts'
import { isCut } from './live-sessions.ts'
import { denied, ended, type OpenDeps, type OpenedSession, openSession } from './open-session.ts'
import type { SessionRow } from './session-store.ts'

export interface SessionsDeps extends Omit<OpenDeps, 'isDraining' | 'identity' | 'recordings' | 'audit'> {
  readonly identity: Pick<IdentityService, 'credentialLive' | 'scramVerifier' | 'identify'>
  readonly recordings: Pick<Recordings, 'create' | 'recover'>
  readonly audit: Pick<AuditLog, 'append' | 'appendRemoval' | 'search' | 'spooled'>
  readonly changes: Changes
  readonly metrics: Metrics
  readonly logger: Logger
}

/** The spine of the daemon: lets sessions in, cuts them, and closes their books. */
export class Sessions implements Doorman {
  readonly #deps: SessionsDeps
  readonly #open: ReturnType<typeof openSession>
  readonly #opened = new Map<SessionPermit, OpenedSession & { detail: Record<string, string> }>()
  readonly #strangers = new Map<ErrorCode, number>()
  #draining = false

  constructor(deps: SessionsDeps) {
    this.#deps = deps
    this.#open = openSession({ ...deps, isDraining: () => this.#draining })
    deps.changes.subscribe((change) => deps.live.apply(change))
  }

  get isDraining(): boolean {
    return this.#draining
  }

  get openCount(): number {
    return this.#opened.size
  }

  scramVerifier(tokenId: string) {
    return this.#deps.identity.scramVerifier(tokenId)
  }

  identify(...claim: Parameters<Doorman['identify']>) {
    return this.#deps.identity.identify(...claim)
  }

  async open(ask: Parameters<Doorman['open']>[0]): Promise<SessionPermit> {
    const opened = await this.#open(ask)
    this.#opened.set(opened.permit, { ...opened, detail: {} })
    this.#deps.metrics.sessionsActive.inc({ kind: opened.permit.kind })
    return opened.permit
  }

  /** What was decided when the permit was made. @throws BrokerError INTERNAL for a permit that has ended */
  answerOf(permit: SessionPermit): OpenedSession['answer'] {
    return this.#known(permit).answer
  }

  async started(permit: SessionPermit, detail: Readonly<Record<string, string>>): Promise<void> {
    Object.assign(this.#known(permit).detail, detail)
    await this.#deps.store.started(permit.sessionId, this.#deps.clock.now(), JSON.stringify(detail))
  }

  async end(permit: SessionPermit, outcome: SessionOutcome): Promise<void> {
    const opened = this.#known(permit)
    this.#opened.delete(permit)
    const { metrics, live, audit } = this.#deps
    const session = live.get(permit.sessionId)
    live.remove(permit.sessionId)
    metrics.sessionsActive.dec({ kind: permit.kind })
    metrics.sessionsTotal.inc({ kind: permit.kind, outcome: outcome.reason })
    this.#observeCut(permit.signal, outcome)
    if (outcome.error)
      this.#deps.logger.warn(
        { err: outcome.error, session: permit.sessionId, reason: outcome.reason },
        'session failed',
      )
    const sealed = await this.#seal(opened)
    const origin = session ?? {
      id: permit.sessionId,
      principalId: permit.principalId,
      grantId: permit.grantId,
      resourceId: permit.resourceId,
    }
    await audit.appendRemoval(ended(origin, outcome.reason, sealed, endFields(outcome, opened.detail)))
    await this.#close(permit.sessionId, outcome, sealed) // last: a row that is left open is closed at the next start
  }

  cancelled(permit: SessionPermit, from: { address: string; via: string }): void {
    const fields = { session: permit.sessionId, grant: permit.grantId, via: from.via }
    const event = {
      type: 'session.cancelled' as const,
      actor: permit.principalId,
      fields,
      text: { address: from.address },
    }
    void this.#deps.audit.appendRemoval(event) // never rejects
  }

  refused(...[ask, error]: Parameters<Doorman['refused']>): void {
    void this.#deps.audit.appendRemoval(denied(ask, error)) // never rejects
  }

  strangerFailed(code: ErrorCode): void {
    this.#deps.metrics.strangersTotal.inc({ code })
    this.#strangers.set(code, (this.#strangers.get(code) ?? 0) + 1)
  }

  phase(kind: string, phase: 'identify' | 'authorize' | 'aws' | 'upstream', seconds: number): void {
    this.#deps.metrics.sessionOpenSeconds.observe({ kind, phase }, seconds)
  }

  relayed(kind: string, direction: 'up' | 'down', bytes: number): void {
    this.#deps.metrics.relayBytesTotal.inc({ kind, direction }, bytes)
  }

  statement(kind: string, seconds: number): void {
    this.#deps.metrics.statementSeconds.observe({ kind }, seconds)
  }

  /** Ends one session now. Takes effect before it is audited. @throws BrokerError NOT_FOUND */
  async kill(sessionId: string, by: { id: string; name: string }, why: string): Promise<void> {
    const session = this.#deps.live.get(sessionId)
    if (!session) throw new BrokerError('NOT_FOUND', `no open session ${sessionId}`)
    const text = `the session was ended by ${by.name}${why ? `: ${why}` : ''}`
    const decidedAt = this.#deps.clock.now()
    this.#deps.changes.publish({ what: 'session', id: sessionId, reason: 'killed', text, decidedAt })
    const fields = {
      session: sessionId,
      grant: session.grantId,
      principal: session.principalId,
      resource: session.resourceId,
    }
    await this.#deps.audit.appendRemoval({
      type: 'session.killed',
      actor: by.id,
      fields,
      text: { name: by.name, reason: why },
    })
  }

  /** A grant was lengthened: its open sessions run on with it. */
  async extend(grantId: string, endsAt: number): Promise<void> {
    await this.#deps.store.extended(this.#deps.live.extend(grantId, endsAt), endsAt)
  }

  /** Ends all of them, e.g. when the store is lost or the drain is over. */
  cutAll(notice: EndNotice): number {
    return this.#deps.live.cut(() => true, notice)
  }

  /** From now on nothing opens; what is open runs on. */
  drain(): void {
    this.#draining = true
  }

  /** Closes the books of sessions that ended with an earlier life of this daemon. @returns how many */
  async recoverLost(): Promise<number> {
    const { store, daemonId } = this.#deps
    const lost = await store.leftOpen(daemonId)
    for (const row of lost) await this.#closeLost(row)
    return lost.length
  }

  async #closeLost(row: SessionRow): Promise<void> {
    const { store, audit, clock } = this.#deps
    let event = await this.#endOf(row.id)
    if (!event) {
      const session = { id: row.id, principalId: row.principal_id, grantId: row.grant_id, resourceId: row.resource_id }
      event = ended(session, 'daemon-lost', await this.#sealLost(row.id))
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
  }

  /** The event that ended it, when the daemon was lost between that and closing the row. */
  async #endOf(sessionId: string): Promise<AuditEvent | undefined> {
    const { audit } = this.#deps
    const spooled = audit.spooled().find(({ type, fields }) => type === 'session.ended' && fields.session === sessionId)
    if (spooled) return spooled
    return (await audit.search({ types: ['session.ended'], subject: sessionId, limit: 1 })).events[0]
  }

  async #sealLost(sessionId: string) {
    try {
      return await this.#deps.recordings.recover(sessionId)
    } catch (error) {
      this.#deps.logger.error({ err: error, session: sessionId }, 'the recording of a lost session cannot be sealed')
      return undefined
    }
  }

  /** Expired sessions, and one event that sums up the strangers since the last sweep. */
  async sweep(): Promise<void> {
    this.#deps.live.expire()
    if (this.#strangers.size === 0) return
    const counts: Record<string, AuditValue> = Object.fromEntries(this.#strangers)
    this.#strangers.clear()
    await this.#deps.audit.appendRemoval({ type: 'strangers.failed', actor: 'system', fields: counts })
  }

  #known(permit: SessionPermit) {
    const opened = this.#opened.get(permit)
    if (!opened) throw new BrokerError('INTERNAL', `session ${permit.sessionId} has ended`)
    return opened
  }

  #observeCut(signal: AbortSignal, outcome: SessionOutcome): void {
    if (!signal.aborted || outcome.stoppedAt === undefined || !isCut(outcome.reason)) return
    const { decidedAt } = signal.reason as EndNotice
    this.#deps.metrics.cutSeconds.observe({ reason: outcome.reason }, Math.max(0, outcome.stoppedAt - decidedAt) / 1000)
  }

  async #seal(opened: OpenedSession): Promise<{ digest: string; entries: number } | undefined> {
    try {
      return await opened.recording.seal()
    } catch (error) {
      this.#deps.logger.error({ err: error, session: opened.permit.sessionId }, 'the recording could not be sealed')
      return undefined
    }
  }

  async #close(
    id: string,
    outcome: SessionOutcome,
    sealed: { digest: string; entries: number } | undefined,
  ): Promise<void> {
    const { bytesUp, bytesDown, reason } = outcome
    const books = { digest: sealed?.digest ?? null, entries: sealed?.entries ?? 0 }
    try {
      await this.#deps.store.ended(id, { endedAt: this.#deps.clock.now(), reason, bytesUp, bytesDown, ...books })
    } catch (error) {
      this.#deps.logger.error(
        { err: error, session: id },
        'the end of a session could not be stored; the next start closes it',
      )
    }
  }
}

function endFields(outcome: SessionOutcome, detail: Record<string, string>): Record<string, AuditValue> {
  const { bytesUp, bytesDown, error, stoppedAt } = outcome
  return {
    bytes_up: bytesUp,
    bytes_down: bytesDown,
    ...(error instanceof BrokerError ? { code: error.code } : {}),
    ...(stoppedAt === undefined ? {} : { stopped_at: stoppedAt }),
    ...detail,
  }
}
