import type { Doorman, LostWork, OpenAsk, OpenPhase, Report, SessionControls, SessionEnd } from '../../proxy/doorman.ts'
import {
  BrokerError,
  type ClientOrigin,
  type EndNotice,
  type ErrorCode,
  type ErrorFacts,
  type FailedLease,
  fromErrorFacts,
  isCut,
  type Lease,
  type PermitFacts,
} from '../../proxy/session.ts'
import type { AuditLog, AuditRecord, AuditValue } from '../audit/audit.ts'
import type { Daemons } from '../daemons/daemons.ts'
import { refuseEntry, type SessionDoor } from '../identity/admission.ts'
import type { IdentityService } from '../identity/identity.ts'
import type { Recordings } from '../recordings/recordings.ts'
import type { Change, Changes } from '../store/changes.ts'
import type { Macs } from '../store/signed-rows.ts'
import type { Logger } from '../telemetry/logger.ts'
import type { Metrics } from '../telemetry/metrics.ts'
import { channelCalls } from './channel-calls.ts'
import { booksOf, endFields, killText } from './end-fields.ts'
import { type FoundSession, findSession } from './find-session.ts'
import { closeSessionsOfFront } from './front-sessions.ts'
import { type Allowed, type Authorize, check, denied, ended, type OpenDeps, openSession } from './open-session.ts'
import { closeForgotten, closeSessionsOfLost, type LostSession, recoverSessions } from './recover-sessions.ts'
import { Resumes } from './resumes.ts'
import type { KnownSession } from './session-kinds.ts'
import { isOpenByLog } from './session-macs.ts'
import { StartedRows } from './started-rows.ts'
import { Stops, type StopsElsewhere } from './stops.ts'
import { type SessionTunnels, type TunnelSession, tunnelCalls } from './tunnels.ts'
import type { WrongKeysDeps } from './wrong-keys.ts'

export interface SessionsDeps
  extends Omit<OpenDeps, 'isDraining' | 'startedRows' | 'identity' | 'recordings' | 'audit' | 'daemons' | 'changes'>,
    WrongKeysDeps {
  readonly daemons: Pick<Daemons, 'id' | 'number' | 'isShared' | 'gone' | 'requireClock'>
  readonly identity: Pick<IdentityService, 'credential' | 'principal' | 'tokenKeys' | 'identify'>
  readonly recordings: Pick<Recordings, 'create' | 'recover'>
  readonly audit: Pick<AuditLog, 'append' | 'appendRemoval' | 'search' | 'spooled'>
  readonly keyring: Macs
  /** The other daemons of the store; undefined: there are none. */
  readonly peers?: StopsElsewhere
  readonly tunnels: SessionTunnels
  readonly changes: Changes
  readonly metrics: Metrics
  readonly logger: Logger
}

interface Open extends KnownSession {
  readonly detail: Record<string, string>
  readonly carrier: SessionControls
  /** Head of its recording as last reported. */
  head: { readonly head: string; readonly entries: number }
  /** Its last credential was given out. */
  isEnding: boolean
}

/** Opens, cuts and closes sessions. Their carriers use the doorman of {@link serve}. */
export class Sessions {
  readonly #deps: SessionsDeps
  readonly #openSession: ReturnType<typeof openSession>
  readonly #opened = new Map<string, Open>()
  /** Whose end is being written. */
  readonly #ending = new Set<string>()
  readonly #unidentified = new Map<ErrorCode, number>()
  readonly #fronts: SessionControls[] = []
  readonly #started: StartedRows
  /** Of previous runs, while what they left running is ended. */
  readonly #lost = new Map<string, TunnelSession>()
  readonly #resumes: Resumes
  /** What clients ask of other sessions. */
  readonly stops: Stops
  #draining = false

  constructor(deps: SessionsDeps) {
    this.#deps = deps
    const onWrongKey = () => this.unidentifiedClientFailed('NOT_FOUND')
    this.stops = new Stops({ ...deps, fronts: this.#fronts, onWrongKey })
    this.#started = new StartedRows(deps.store, deps.logger)
    this.#openSession = openSession({ ...deps, startedRows: this.#started, isDraining: () => this.#draining })
    this.#resumes = new Resumes({
      audit: deps.audit,
      check: (ask, grantId) => check(deps, ask, { grantId }),
      uncut: (sessionId) => this.#uncut(sessionId),
    })
    deps.changes.subscribe((change) => this.#apply(change))
  }

  get isDraining(): boolean {
    return this.#draining
  }

  get openCount(): number {
    return this.#opened.size
  }

  /**
   * The doorman of one front, which cuts the sessions that open through it.
   * @param authorize default: by their grants @param front number of one that has died, in whose stead this one is
   */
  serve(controls: SessionControls, authorize?: Authorize, front = this.#fronts.length): Doorman {
    this.#fronts[front] = controls
    const { identity, daemons } = this.#deps
    const place = { daemon: daemons.number, front }
    return {
      place,
      tokenKeys: (tokenId) => identity.tokenKeys(tokenId),
      identify: (claim, client) => identity.identify(claim, client),
      open: (ask) => this.#open(ask, controls, authorize),
      lease: (sessionId, failed) => this.#lease(sessionId, failed),
      leaseToEnd: (sessionId) => this.#leaseToEnd(sessionId),
      ...tunnelCalls(this.#deps.tunnels, (sessionId) => this.#lost.get(sessionId) ?? this.#uncut(sessionId)),
      ...this.#resumes.calls(place),
      ...channelCalls(this.#deps.kinds, { uncut: (id) => this.#uncut(id), known: (id) => this.known(id) }),
      started: (sessionId, detail) => this.#hasStarted(sessionId, detail),
      end: (sessionId, end) => this.#end(sessionId, end),
      cancel: (ask) => this.stops.cancel(ask),
      stop: (ask) => this.stops.stop(ask),
      mayCancel: (sessionId, from) => this.#mayCancel(sessionId, from),
      cancelled: (sessionId, from) => this.#cancelled(sessionId, from),
      refused: (ask, error) => this.#refused(ask, error),
      unidentifiedClientFailed: (code) => this.unidentifiedClientFailed(code),
      phase: (kind, phase, seconds) => this.#phase(kind, phase, seconds),
      report: (report) => this.#report(report),
    }
  }

  /**
   * May this session open, or give more of what it holds? A refusal is audited.
   * @throws BrokerError what {@link Doorman.open} throws of grant and credential
   */
  async check(ask: OpenAsk, door: SessionDoor): Promise<Allowed> {
    try {
      return await check(this.#deps, ask, { door })
    } catch (error) {
      await this.#deps.audit.appendRemoval(denied(ask, error))
      throw error
    }
  }

  /** The facts that the permit of an open session was made from. @throws BrokerError INTERNAL when it has ended */
  known(sessionId: string): KnownSession {
    const { facts, held, credential } = this.#known(sessionId)
    const endsAt = this.#deps.live.get(sessionId)?.endsAt ?? facts.endsAt
    return { facts: { ...facts, endsAt }, held, credential }
  }

  isOpen(sessionId: string): boolean {
    return this.#opened.has(sessionId)
  }

  /** Heads of the open recordings as last reported by their fronts, for checkpoints. */
  heads(): { sessionId: string; head: string; entries: number }[] {
    return [...this.#opened].map(([sessionId, { head }]) => ({ sessionId, ...head }))
  }

  unidentifiedClientFailed(code: ErrorCode): void {
    this.#deps.metrics.unidentifiedClientsTotal.inc({ code })
    this.#unidentified.set(code, (this.#unidentified.get(code) ?? 0) + 1)
  }

  async #open(ask: OpenAsk, controls: SessionControls, authorize?: Authorize): Promise<PermitFacts> {
    const opened = await this.#openSession(ask, controls, authorize)
    const { facts } = opened
    this.#opened.set(facts.sessionId, {
      ...opened,
      carrier: controls,
      detail: {},
      head: { head: facts.recording.head, entries: 0 },
      isEnding: false,
    })
    this.#deps.metrics.sessionsActive.inc({ kind: facts.kind })
    return facts
  }

  async #lease(sessionId: string, failed?: FailedLease): Promise<Lease> {
    return await this.#deps.kinds.lease(this.#uncut(sessionId).facts.kind, sessionId, failed)
  }

  /** @throws BrokerError GRANT_DENIED */
  #uncut(sessionId: string): KnownSession {
    const opened = this.#known(sessionId)
    const notice = this.#deps.live.noticeOf(sessionId)
    if (notice) throw new BrokerError('GRANT_DENIED', notice.text)
    return opened
  }

  async #leaseToEnd(sessionId: string): Promise<Lease> {
    const opened = this.#known(sessionId)
    if (opened.isEnding) throw new BrokerError('INTERNAL', `session ${sessionId} is being ended already`)
    opened.isEnding = true
    return await this.#deps.kinds.leaseToEnd(this.known(sessionId))
  }

  /** Ends what a session of a previous run left running. @throws BrokerError what {@link SessionControls.endLost} throws */
  async endLost(lost: LostWork): Promise<void> {
    const { facts, protocol } = lost
    this.#lost.set(facts.sessionId, { facts, credential: null })
    try {
      for (const front of this.#fronts) if (await front.endLost(lost)) return
    } finally {
      this.#lost.delete(facts.sessionId)
    }
    throw new BrokerError('INTERNAL', `no front carries the protocol ${protocol}`)
  }

  async #hasStarted(sessionId: string, detail: Readonly<Record<string, string>>): Promise<void> {
    Object.assign(this.#known(sessionId).detail, detail)
    this.#started.add(sessionId, { at: this.#deps.clock.now(), detail: JSON.stringify(detail) })
  }

  async #end(sessionId: string, end: SessionEnd): Promise<void> {
    const { facts, detail } = this.#known(sessionId)
    this.#opened.delete(sessionId)
    this.#ending.add(sessionId)
    const { metrics, live, audit, logger } = this.#deps
    this.#resumes.end(sessionId, live.noticeOf(sessionId)?.text ?? `it has ended: ${end.reason}`)
    live.remove(sessionId)
    metrics.sessionsActive.dec({ kind: facts.kind })
    metrics.sessionsTotal.inc({ kind: facts.kind, outcome: end.reason })
    this.#observeCut(end)
    const { reason, recording, error } = end
    if (error) logger.warn({ err: fromErrorFacts(error), session: sessionId, reason }, 'session failed')
    const origin = { ...facts, id: sessionId }
    const row = this.#deps.store.ending(sessionId, booksOf(end, this.#deps.clock.now()), this.#started.take(sessionId))
    const event = ended(origin, reason, recording, endFields(end, detail))
    try {
      // Where sessions come and go, one's end and another's start are one commit.
      if (await audit.appendRemoval(event, { claims: [row] }, reason === 'client-closed')) return
      if (await isOpenByLog(audit, sessionId))
        await audit.appendRemoval(event) // its row was changed outside the broker
      else logger.warn({ session: sessionId }, 'another daemon has closed this session as lost')
    } finally {
      this.#ending.delete(sessionId)
    }
  }

  async #mayCancel(sessionId: string, from: ClientOrigin): Promise<boolean> {
    const { identity, live, audit } = this.#deps
    const session = live.get(sessionId)
    const credential = session && (await identity.credential(session.credential))
    if (!session || !credential) return false
    const refused = refuseEntry({ door: 'cancel', by: credential, from: from.address })
    if (!refused) return true
    const { principalId: actor, resourceId: resource } = session
    const fields = { session: sessionId, resource, code: refused.code, via: from.via }
    void audit.appendRemoval({ type: 'session.denied', actor, fields, text: { address: from.address } }) // never rejects
    return false
  }

  #cancelled(sessionId: string, { via, address }: ClientOrigin): void {
    const { grantId: grant, principalId: actor } = this.#known(sessionId).facts
    const fields = { session: sessionId, grant, via }
    void this.#deps.audit.appendRemoval({ type: 'session.cancelled', actor, fields, text: { address } }) // never rejects
  }

  #refused(ask: Omit<OpenAsk, 'carrier'>, error: ErrorFacts): void {
    void this.#deps.audit.appendRemoval(denied(ask, fromErrorFacts(error))) // never rejects
  }

  #phase(kind: string, phase: OpenPhase, seconds: number): void {
    this.#deps.metrics.sessionOpenSeconds.observe({ kind, phase }, seconds)
  }

  #report({ kinds, heads }: Report): void {
    const { relayBytesTotal, statementSeconds } = this.#deps.metrics
    for (const { kind, bytesUp, bytesDown, statements } of kinds) {
      if (bytesUp > 0) relayBytesTotal.inc({ kind, direction: 'up' }, bytesUp)
      if (bytesDown > 0) relayBytesTotal.inc({ kind, direction: 'down' }, bytesDown)
      statementSeconds.add(kind, statements.counts, statements.sumSeconds)
    }
    for (const { sessionId, head, entries } of heads) {
      const opened = this.#opened.get(sessionId)
      if (opened) opened.head = { head, entries }
    }
  }

  #apply(change: Change): void {
    const { live, store, logger } = this.#deps
    live.apply(change)
    if (change.what !== 'grant-extended' && change.what !== 'grant-shortened') return
    const { id: grant, endsAt } = change
    store
      .moved(live.move(grant, endsAt), endsAt)
      .catch((error: unknown) => logger.error({ err: error, grant }, 'the new end of sessions could not be stored'))
  }

  /** Whose it is, whether or not it has ended. */
  find(sessionId: string): Promise<FoundSession | undefined> {
    return findSession(this.#deps, sessionId)
  }

  /**
   * Ends one session now, also one at another daemon, which hears of it by the log. Takes effect before it is audited.
   * @throws BrokerError NOT_FOUND, STORE_UNAVAILABLE
   */
  async kill(sessionId: string, by: { id: string; name: string }, why: string): Promise<void> {
    const { live, store, changes, clock, audit } = this.#deps
    const here = live.get(sessionId)
    const killed = here ?? (await this.find(sessionId))
    if (!killed) throw notOpen(sessionId)
    const text = killText(by.name, why)
    changes.publish({ what: 'session', id: sessionId, reason: 'killed', text, decidedAt: clock.now() })
    const { grantId: grant, principalId: principal, resourceId: resource } = killed
    const event = {
      type: 'session.killed' as const,
      actor: by.id,
      fields: { session: sessionId, grant, principal, resource },
      text: { name: by.name, reason: why },
    }
    if (await audit.appendRemoval(event, here ? undefined : { claims: [store.isOpen(sessionId)] })) return
    if (!(await isOpenByLog(audit, sessionId))) throw notOpen(sessionId)
    await audit.appendRemoval(event) // its row was changed outside the broker
  }

  /** For the person in front of a terminal of this daemon. @returns false: the session has none that runs */
  async tell(sessionId: string, text: string): Promise<boolean> {
    const told = await Promise.all(this.#fronts.map((front) => front.tell(sessionId, text)))
    return told.includes(true)
  }

  /** What another daemon of the store did, by its event: a kill takes effect here. */
  apply({ type, at, fields: { session }, text }: AuditRecord): void {
    if (type !== 'session.killed' || typeof session !== 'string') return
    const change = { what: 'session', id: session, reason: 'killed', from: 'elsewhere' } as const
    this.#deps.changes.publish({ ...change, text: killText(text?.name ?? 'another', text?.reason), decidedAt: at })
  }

  /** Ends all sessions, e.g. when the store is lost or the drain is over. */
  cutAll(notice: EndNotice): number {
    return this.#deps.live.cut(() => true, notice)
  }

  /** The same of one person's. */
  cutOf(principalId: string, notice: EndNotice): number {
    return this.#deps.live.cut((session) => session.principalId === principalId, notice)
  }

  /** From now on no session opens; open ones continue. */
  drain(): void {
    this.#draining = true
    for (const front of this.#fronts) front.drain()
  }

  /** Closes the sessions that a previous run left open. */
  recoverLost(): Promise<LostSession[]> {
    return recoverSessions(this.#deps)
  }

  /** Closes the sessions of other daemons that are gone. @param lost given up just now */
  closeSessionsOfLost(lost: readonly string[]): Promise<LostSession[]> {
    return closeSessionsOfLost(this.#deps, lost)
  }

  /** Closes the sessions of a front that has died, and seals their recordings as far as they were written. */
  closeSessionsOfFront(controls: SessionControls): Promise<LostSession[]> {
    const ids = [...this.#opened].flatMap(([id, { carrier }]) => (carrier === controls ? [id] : []))
    return closeSessionsOfFront(this.#deps, ids, async (id, end) => {
      if (this.#opened.has(id)) await this.#end(id, end)
    })
  }

  /** Closes what stands open in the books though nothing runs, as the store leaves it when it fails meanwhile. */
  async tidy(): Promise<void> {
    const { live } = this.#deps
    const runs = (id: string) => this.#opened.has(id) || this.#ending.has(id) || live.get(id) !== undefined
    const count = await closeForgotten(this.#deps, runs)
    if (count > 0) this.#deps.logger.warn({ count }, 'sessions that were open in the books alone were closed')
  }

  /** Cuts expired sessions, and writes one event that sums up the unidentified clients since the last sweep. */
  async sweep(): Promise<void> {
    this.#deps.live.expire()
    if (this.#unidentified.size === 0) return
    const counts: Record<string, AuditValue> = Object.fromEntries(this.#unidentified)
    this.#unidentified.clear()
    await this.#deps.audit.appendRemoval({ type: 'strangers.failed', actor: 'system', fields: counts })
  }

  #known(sessionId: string): Open {
    const opened = this.#opened.get(sessionId)
    if (!opened) throw new BrokerError('INTERNAL', `session ${sessionId} has ended`)
    return opened
  }

  #observeCut({ reason, stoppedAt, decidedAt }: SessionEnd): void {
    if (stoppedAt === undefined || decidedAt === undefined || !isCut(reason)) return
    this.#deps.metrics.cutSeconds.observe({ reason }, Math.max(0, stoppedAt - decidedAt) / 1000)
  }
}

function notOpen(id: string): BrokerError {
  return new BrokerError('NOT_FOUND', `no open session ${id}`)
}
