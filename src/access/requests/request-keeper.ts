import type { CompiledQuery } from 'kysely'
import { BrokerError } from '../../../proxy/session.ts'
import type { AuditEvent, AuditLog, AuditType } from '../../audit/audit.ts'
import { digestOf } from '../../audit/digest.ts'
import { KnownVersions } from '../../store/known-versions.ts'
import type { Clock } from '../../telemetry/clock.ts'
import { KeyedMutex } from '../../telemetry/keyed-mutex.ts'
import type { Logger } from '../../telemetry/logger.ts'
import type { Metrics } from '../../telemetry/metrics.ts'
import type { AccessStore, Found, RequestStep } from '../rows/access-store.ts'
import type { AccessRequest, RequestStatus, StageDecision } from './request.ts'

export interface RequestKeeperDeps {
  readonly store: Pick<
    AccessStore,
    'request' | 'pendingRequests' | 'advanceRequest' | 'advancingRequest' | 'insertingDecision'
  >
  readonly audit: Pick<AuditLog, 'appendRemoval'>
  readonly clock: Clock
  readonly logger: Logger
  readonly metrics: Pick<Metrics, 'requestsTotal'>
}

/** How a pending request ends without a grant. */
export interface RequestEnd {
  readonly status: Exclude<RequestStatus, 'pending' | 'granted'>
  readonly reason: string
  readonly event: AuditType
  readonly actor: string
  readonly auditText?: Readonly<Record<string, string>>
  readonly fields?: AuditEvent['fields']
  readonly decision?: StageDecision
}

/** State of requests beyond their rows, like {@link import('../grants/grant-keeper.ts').GrantKeeper} for grants: the end of a request takes effect here first. */
export class RequestKeeper {
  readonly #deps: RequestKeeperDeps
  readonly #unsaved = new Map<string, RequestStep>()
  /** Whose rows and event are being written together: written alone, the rows would refuse the event. */
  readonly #writing = new Set<RequestStep>()
  #voidUntil = 0
  readonly #versions = new KnownVersions()
  readonly #mutex = new KeyedMutex()

  constructor(deps: RequestKeeperDeps) {
    this.#deps = deps
  }

  /** Runs steps on one request one after the other, so that two approvals at once can't both be the last. */
  exclusively<T>(id: string, step: () => Promise<T>): Promise<T> {
    return this.#mutex.run(id, step)
  }

  /** @throws BrokerError NOT_FOUND, also for one that was not written by the broker */
  async read(id: string): Promise<AccessRequest> {
    const found = await this.#deps.store.request(id)
    const request = found && (await this.judge(found))
    if (!request) throw new BrokerError('NOT_FOUND', `no request ${id}`)
    return request
  }

  /** Undefined for a row that was not written by the broker, or is not its newest state; the log of the daemon says so. */
  async judge(found: Found<AccessRequest>): Promise<AccessRequest | undefined> {
    const { id } = found.value
    const first = this.#compare(found)
    if (first) return first
    const again = await this.#deps.store.request(id) // it may have been replaced while it was being read
    const request = again && this.#compare(again)
    if (!request) this.#deps.logger.error({ request: id }, 'a request was changed outside the broker')
    return request
  }

  #compare({ value, isSigned }: Found<AccessRequest>): AccessRequest | undefined {
    const unsaved = this.#unsaved.get(value.id)
    if (unsaved) return unsaved.request
    const isVoid = value.status === 'pending' && value.createdAt <= this.#voidUntil
    return isSigned && !isVoid && !this.#versions.isPutBack(value.id, value.version) ? value : undefined
  }

  /** Cancels what was asked up to this instant; from now on its rows count as restored from outside. */
  async endUntil(instant: number, reason: string): Promise<void> {
    const how = { status: 'cancelled', reason, event: 'request.cancelled', actor: 'system' } as const
    for (const request of await this.pending())
      if (request.createdAt <= instant) await this.end(request, { ...how, auditText: { reason } })
    this.#voidUntil = instant
  }

  /** Newest first. */
  async pending(): Promise<AccessRequest[]> {
    const pending: AccessRequest[] = []
    for (const found of await this.#deps.store.pendingRequests()) {
      const request = await this.judge(found)
      if (request?.status === 'pending') pending.push(request)
    }
    return pending
  }

  noteWritten(request: AccessRequest): void {
    this.noteAudited(request.id, request.version, request.expiresAt)
  }

  /** The audit log knows a state at least this new. */
  noteAudited(id: string, version: number, expiresAt: number): void {
    this.#versions.note(id, version, expiresAt)
  }

  /**
   * Ends a pending request: in memory, then in the store and the audit log at once.
   * @param claims more conditions under which it ends
   * @throws BrokerError STALE when another step came first: then it has not ended by this one
   */
  async end(request: AccessRequest, how: RequestEnd, claims: readonly CompiledQuery[] = []): Promise<AccessRequest> {
    const { status, reason, decision } = how
    const ended = this.#ended(request, status, reason)
    const fields = { status, ...how.fields }
    const event = requestEvent(how.event, how.actor, ended, how.auditText, fields)
    await this.#impose(decision ? { request: ended, decision } : { request: ended }, event, claims)
    this.#deps.metrics.requestsTotal.inc({ outcome: status })
    return ended
  }

  /** The same for an end that the spool of the audit log has already. */
  async endUnaudited(request: AccessRequest, { status, reason }: Pick<RequestEnd, 'status' | 'reason'>): Promise<void> {
    const step = { request: this.#ended(request, status, reason) }
    this.#unsaved.set(request.id, step)
    this.#deps.metrics.requestsTotal.inc({ outcome: status })
    await this.#save(step)
  }

  #ended(request: AccessRequest, status: RequestEnd['status'], reason: string): AccessRequest {
    const endedAt = this.#deps.clock.now()
    return { ...request, status, statusReason: reason, endedAt, version: request.version + 1 }
  }

  /** Sends changed terms to the approvers again; earlier approvals are void. @throws BrokerError STALE as of {@link end} */
  async void(request: AccessRequest, why: string): Promise<AccessRequest> {
    const fields = { status: request.status, round: request.round }
    await this.#impose({ request }, requestEvent('request.voided', 'system', request, { reason: why }, fields))
    return request
  }

  /** Retries writes that failed, and forgets what no longer matters. */
  async retry(): Promise<void> {
    for (const step of [...this.#unsaved.values()]) if (!this.#writing.has(step)) await this.#save(step)
    this.#versions.forget(this.#deps.clock.now())
  }

  async #impose(step: RequestStep, event: AuditEvent, claims: readonly CompiledQuery[] = []): Promise<void> {
    const { audit, store } = this.#deps
    const { request, decision } = step
    this.#unsaved.set(request.id, step)
    this.#writing.add(step)
    const isTold = await audit
      .appendRemoval(event, {
        claims: [...claims, store.advancingRequest(request), ...(decision ? [store.insertingDecision(decision)] : [])],
      })
      .finally(() => this.#writing.delete(step))
    if (!isTold) {
      this.#forget(step)
      throw new BrokerError('STALE', `request ${request.id}`)
    }
    this.noteWritten(request)
    await this.#checkSaved(step)
  }

  /** The event may be in the spool, and the row as it was. */
  async #checkSaved(step: RequestStep): Promise<void> {
    const { store, logger } = this.#deps
    const { id, version } = step.request
    try {
      const found = await store.request(id)
      if (found && found.value.version >= version) this.#forget(step)
    } catch (error) {
      logger.error({ err: error, request: id }, 'could not read whether the end of a request is stored; will retry')
    }
  }

  async #save(step: RequestStep): Promise<void> {
    try {
      await this.#deps.store.advanceRequest(step) // false: it was replaced meanwhile
    } catch (error) {
      const text = 'could not store the end of a request; it is in effect and will be stored later'
      this.#deps.logger.error({ err: error, request: step.request.id }, text)
      return
    }
    this.noteWritten(step.request)
    this.#forget(step)
  }

  #forget(step: RequestStep): void {
    if (this.#unsaved.get(step.request.id) === step) this.#unsaved.delete(step.request.id)
  }
}

/** Every `request.*` and `decision.*` event names the request, its digest and its version. */
export function requestEvent(
  type: AuditType,
  actor: string,
  request: AccessRequest,
  text: Readonly<Record<string, string>> = {},
  more: AuditEvent['fields'] = {},
): AuditEvent {
  return {
    type,
    actor,
    fields: {
      request: request.id,
      requester: request.requesterId,
      beneficiary: request.beneficiaryId,
      resource: request.resourceId,
      target: request.targetId,
      level: request.level,
      ...(request.loginName === null ? {} : { login_name: request.loginName }),
      ...(request.sessionTags === null ? {} : { session_tags: digestOf(request.sessionTags) }),
      duration_ms: request.durationMs,
      rule: request.ruleName,
      rule_digest: request.ruleDigest,
      digest: request.digest,
      version: request.version,
      expires_at: request.expiresAt,
      ...more,
    },
    ...(Object.keys(text).length > 0 ? { text } : {}),
  }
}
