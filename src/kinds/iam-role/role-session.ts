import {
  BrokerError,
  type ClientOrigin,
  type EndNotice,
  type SessionOutcome,
  type SessionPermit,
} from '../../../proxy/session.ts'
import type { AuditLog } from '../../audit/audit.ts'
import { type AwsCredentials, stsLimits } from '../../aws/aws.ts'
import { Renewing } from '../../aws/renewing.ts'
import { toSessionName } from '../../aws/session-names.ts'
import type { Clock } from '../../telemetry/clock.ts'
import type { Logger } from '../../telemetry/logger.ts'
import type { CredentialStore } from './credential-store.ts'
import type { RoleLevel } from './level.ts'
import { sessionPolicy } from './session-policy.ts'
import type { RoleTarget } from './target.ts'

/** The request to STS, whatever the account's trust model. */
export interface MintAsk {
  readonly permit: SessionPermit
  readonly credentialId: string
  readonly target: RoleTarget
  readonly level: RoleLevel
  readonly policy: string | null
  /** Epoch milliseconds. */
  readonly until: number
  readonly longestMs: number
}

export interface RoleSessionDeps {
  readonly audit: Pick<AuditLog, 'append'>
  readonly store: Pick<CredentialStore, 'insert'>
  readonly clock: Clock
  readonly logger: Logger
  /** @throws BrokerError AWS_DENIED, AWS_UNAVAILABLE, LOGIN_REQUIRED */
  mint(ask: MintAsk): Promise<AwsCredentials>
  /** Longest life of credentials for this target, milliseconds. */
  longestMs(target: RoleTarget): number
}

/** Who receives the credentials, for the recording. */
export interface HandOut {
  readonly client: ClientOrigin
  /** Untrusted text, at most 128 characters. */
  readonly tool?: string
  /** `console`: a sign-in link was made from them. */
  readonly as: 'credentials' | 'console'
  readonly destination?: string
}

export type RoleSessionEnd = Pick<SessionOutcome, 'reason' | 'stoppedAt' | 'error'>

/** AWS SDKs refresh up to 15 minutes ahead, so credentials must be renewed earlier than that. */
const mostAheadMs = 1_200_000
const marginMs = 60_000

/**
 * One session of a role: its credentials, renewed ahead while its permit is valid, in single flight, in memory only. It runs
 * from the first credentials until the last ones expire without a request for new ones, or until it is cut.
 */
export class RoleSession {
  readonly permit: SessionPermit
  readonly target: RoleTarget
  readonly #deps: RoleSessionDeps
  readonly #level: RoleLevel
  readonly #credentialId: string
  readonly #cell: Renewing<AwsCredentials>
  readonly #onEnd: (end: RoleSessionEnd) => void
  #endsAt: number
  #newest: AwsCredentials | undefined
  #timer: NodeJS.Timeout | undefined
  #isOver = false
  /** Requests in progress. */
  #waiting = 0

  /** @param onEnd called once, when nothing is handed out any more */
  constructor(
    deps: RoleSessionDeps,
    session: { permit: SessionPermit; target: RoleTarget; level: RoleLevel; credentialId: string },
    onEnd: (end: RoleSessionEnd) => void,
  ) {
    const { permit, target, level, credentialId } = session
    this.#deps = deps
    this.permit = permit
    this.target = target
    this.#level = level
    this.#credentialId = credentialId
    this.#endsAt = permit.endsAt
    this.#onEnd = onEnd
    this.#cell = new Renewing({
      make: () => this.#mint(),
      clock: deps.clock,
      aheadMs: Math.min(mostAheadMs, this.#longestMs / 3),
      marginMs: Math.min(marginMs, this.#longestMs / 15),
      onLateRenewal: (error) =>
        deps.logger.warn({ err: error, session: permit.sessionId }, 'credentials could not be renewed ahead'),
    })
    permit.signal.addEventListener('abort', () => this.#cut(), { once: true })
    if (permit.signal.aborted) queueMicrotask(() => this.#cut())
  }

  get isOver(): boolean {
    return this.#isOver
  }

  /** Sets the new end of a grant that was extended or shortened. */
  runUntil(endsAt: number): void {
    this.#endsAt = endsAt
  }

  /** @throws BrokerError GRANT_DENIED when it was cut, AWS_DENIED, AWS_UNAVAILABLE, RECORDING_FAILED, AUDIT_UNAVAILABLE */
  async handOut(to: HandOut): Promise<AwsCredentials> {
    this.#throwIfCut()
    this.#waiting++
    const credentials = await this.#usable().finally(() => this.#waiting--)
    this.#throwIfCut()
    this.#record({
      type: to.as === 'console' ? 'console' : 'handed-out',
      access_key: credentials.accessKeyId,
      expires_at: credentials.expiresAt,
      address: to.client.address,
      tool: to.tool?.slice(0, 128).toWellFormed() ?? null,
      ...(to.destination === undefined ? {} : { destination: to.destination }),
    })
    return credentials
  }

  async #usable(): Promise<AwsCredentials> {
    try {
      return await this.#current()
    } catch (error) {
      // It never ran.
      if (!this.#newest) this.#finish({ reason: 'upstream-failed', error: error as Error })
      throw error
    }
  }

  get #longestMs(): number {
    return Math.min(this.#level.sessionMs ?? Number.POSITIVE_INFINITY, this.#deps.longestMs(this.target))
  }

  /** Credentials that last until the end of the grant are kept until then: new ones would not last longer. */
  #current(): Promise<AwsCredentials> | AwsCredentials {
    const newest = this.#newest
    const isLast = newest !== undefined && newest.expiresAt >= this.#endsAt
    return isLast && this.#deps.clock.now() < newest.expiresAt ? newest : this.#cell.get()
  }

  async #mint(): Promise<AwsCredentials> {
    this.#throwIfCut()
    const { clock, mint, audit, store } = this.#deps
    const { permit, target } = this
    const until = this.#endsAt
    const policy = sessionPolicy(this.#level, until - clock.now() < stsLimits.shortestMs ? until : null)
    const ask = { permit, credentialId: this.#credentialId, target, level: this.#level, policy, until }
    const issuedAt = clock.now()
    const made = await mint({ ...ask, longestMs: this.#longestMs })
    const worksUntil = Math.min(made.expiresAt, until)
    const { accessKeyId } = made
    const sessionName = toSessionName(permit.principalName)
    await store.insert({
      access_key_id: accessKeyId,
      session_id: permit.sessionId,
      grant_id: permit.grantId,
      principal_id: permit.principalId,
      credential_id: this.#credentialId,
      resource_id: permit.resourceId,
      partition: target.partition,
      account: target.account,
      role_arn: target.roleArn,
      session_name: sessionName,
      source_identity: made.sourceIdentity ?? null,
      issued_at: issuedAt,
      works_until: worksUntil,
      revocable: target.isRevocable ? 1 : 0,
      doomed_at: null,
      doomed_by: null,
      settled_at: null,
    })
    await audit.append({
      type: 'credentials.issued',
      actor: permit.principalId,
      fields: {
        session: permit.sessionId,
        grant: permit.grantId,
        resource: permit.resourceId,
        credential: this.#credentialId,
        access_key: accessKeyId,
        role: target.roleArn,
        works_until: worksUntil,
        revocable: target.isRevocable,
      },
      text: {
        session_name: sessionName,
        ...(made.sourceIdentity === undefined ? {} : { source_identity: made.sourceIdentity }),
      },
    })
    this.#record({
      type: 'issued',
      access_key: accessKeyId,
      role: target.roleArn,
      session_policy: policy,
      policy_arns: this.#level.policyArns,
      expires_at: worksUntil,
      source_identity: made.sourceIdentity ?? null,
    })
    const usable = { ...made, expiresAt: worksUntil }
    this.#newest = usable
    this.#arm(worksUntil)
    return usable
  }

  #record(entry: Record<string, unknown>): void {
    this.permit.recorder.write(JSON.stringify({ at: this.#deps.clock.now(), ...entry })) // few and small, so there is nothing to pause
  }

  #arm(worksUntil: number): void {
    clearTimeout(this.#timer)
    const left = Math.max(worksUntil - this.#deps.clock.now(), leastTimerMs)
    this.#timer = setTimeout(() => this.#lapse(worksUntil), Math.min(left, mostTimerMs))
    this.#timer.unref()
  }

  /** Ends the session when the last credentials have expired and no request is waiting; at the end of the grant its cut may come a moment later. */
  #lapse(worksUntil: number): void {
    const now = this.#deps.clock.now()
    if (now < worksUntil || this.#waiting > 0) this.#arm(worksUntil)
    else if (now >= this.#endsAt) this.#finish({ reason: 'grant-expired', stoppedAt: now })
    else this.#finish({ reason: 'client-closed' })
  }

  #cut(): void {
    this.#finish({ reason: (this.permit.signal.reason as EndNotice).reason, stoppedAt: this.#deps.clock.now() })
  }

  #finish(end: RoleSessionEnd): void {
    if (this.#isOver) return
    this.#isOver = true
    clearTimeout(this.#timer)
    this.#onEnd(end)
  }

  #throwIfCut(): void {
    const { signal } = this.permit
    if (signal.aborted) throw new BrokerError('GRANT_DENIED', (signal.reason as EndNotice).text)
  }
}

const mostTimerMs = 3_600_000
const leastTimerMs = 1000
