import type { EndReason } from '../../../proxy/session.ts'
import type { AuditEvent, AuditLog, AuditType } from '../../audit/audit.ts'
import type { Changes } from '../../store/changes.ts'
import { KnownVersions } from '../../store/known-versions.ts'
import type { Background } from '../../telemetry/background.ts'
import type { Clock } from '../../telemetry/clock.ts'
import type { Logger } from '../../telemetry/logger.ts'
import type { Metrics } from '../../telemetry/metrics.ts'
import type { AccessStore, Found } from '../rows/access-store.ts'
import type { StoredGrant } from '../rows/rows.ts'
import { type Grant, isLive, narrow } from './grant.ts'

export interface KeeperDeps {
  readonly store: Pick<AccessStore, 'grant' | 'activeGrants' | 'replaceGrant'>
  readonly audit: Pick<AuditLog, 'appendRemoval'>
  readonly changes: Pick<Changes, 'publish'>
  readonly clock: Clock
  readonly logger: Logger
  readonly metrics: Pick<Metrics, 'grantsActive'>
  readonly background: Background
}

/** A grant in its current state; `problem`: the broker did not write it, or it is not the newest state, so it gives no access. */
export interface GrantReading {
  readonly grant: StoredGrant
  readonly problem: string | null
}

/** How a grant ends before it is stored. */
export interface GrantEnd {
  readonly state: Exclude<Grant['state'], 'active'>
  readonly reason: EndReason
  /** Shown to clients that use it. */
  readonly text: string
  readonly event: AuditType
  /** Principal id, or `system`. */
  readonly actor: string
  /** Free text for the log. */
  readonly auditText?: Readonly<Record<string, string>>
}

const longestTimerMs = 3_600_000

/**
 * What this daemon knows of grants beyond their rows: which are live, which ended though the store doesn't know it yet, and
 * the newest version of each. Removal takes effect here first.
 */
export class GrantKeeper {
  readonly #deps: KeeperDeps
  readonly #live = new Map<string, StoredGrant>()
  /** Newest state of grants whose row could not be written (yet): it stands in for the row. */
  readonly #unsaved = new Map<string, StoredGrant>()
  readonly #versions = new KnownVersions()
  readonly #reported = new Set<string>()
  #voidUntil = 0
  #timer: NodeJS.Timeout | undefined

  constructor(deps: KeeperDeps) {
    this.#deps = deps
  }

  /** Live grants, as they were last written. */
  get live(): readonly StoredGrant[] {
    return [...this.#live.values()]
  }

  /** Reads one grant. Never cached. */
  async read(id: string): Promise<GrantReading | undefined> {
    const found = await this.#deps.store.grant(id)
    return found && (await this.judge(found))
  }

  /** Checks a row. A forged or outdated one is reported, once per start. */
  async judge(found: Found<StoredGrant>): Promise<GrantReading> {
    const first = this.#compare(found)
    if (!first.problem) return first
    // A row that was replaced while it was being read looks restored; a second read tells.
    const again = await this.#deps.store.grant(found.value.id)
    const reading = again ? this.#compare(again) : first
    if (reading.problem) await this.#report(reading.grant, reading.problem)
    return reading
  }

  #compare({ value, isSigned }: Found<StoredGrant>): GrantReading {
    const unsaved = this.#unsaved.get(value.id)
    if (unsaved) return { grant: unsaved, problem: null }
    if (!isSigned) return { grant: value, problem: 'its signature is not valid' }
    if (this.#versions.isPutBack(value.id, value.version))
      return { grant: value, problem: 'an earlier state of it was restored' }
    if (value.state === 'active' && value.startsAt <= this.#voidUntil)
      return { grant: value, problem: 'it is older than a restore of the store' }
    return { grant: value, problem: null }
  }

  /** Live by the monotonic clock. */
  isLive(grant: Grant): boolean {
    return isLive(grant, this.#deps.clock.now())
  }

  /** A row was written: new, or extended. */
  noteWritten(grant: StoredGrant): void {
    this.#versions.note(grant.id, grant.version, grant.endsAt)
    const isNew = grant.version === 1
    if (!isNew && !this.#live.has(grant.id)) return // it ended while it was being extended
    this.#setLive(grant)
    this.#arm()
  }

  /** Ends what was given up to this instant; from now on its rows count as restored from outside. */
  async endUntil(instant: number, how: GrantEnd): Promise<void> {
    for (const grant of this.live) if (grant.startsAt <= instant) await this.end(grant.id, how)
    this.#voidUntil = instant
  }

  /** The audit log knows a state at least this new. */
  noteAudited(id: string, version: number, endsAt: number): void {
    this.#versions.note(id, version, endsAt)
  }

  /**
   * Ends a live grant: in memory, then for every subscriber, then in the store, then in the audit log. A store that
   * fails is retried by {@link retry}. @returns false when it was not live any more
   */
  async end(id: string, how: GrantEnd): Promise<boolean> {
    const ended = await this.endUnaudited(id, how)
    if (!ended) return false
    await this.#deps.audit.appendRemoval(grantEvent(how.event, how.actor, ended, how.auditText, { reason: how.reason }))
    return true
  }

  /** The same for an end that the audit log, or its spool, has already. */
  async endUnaudited(id: string, how: Pick<GrantEnd, 'state' | 'reason' | 'text'>): Promise<StoredGrant | undefined> {
    const grant = this.#live.get(id)
    if (!grant) return undefined
    const { state, reason, text } = how
    const endedAt = this.#deps.clock.now()
    const version = grant.version + 1
    const ended: StoredGrant = { ...grant, state, endedAt, endReason: reason, endText: text, version }
    this.#unsaved.set(id, ended)
    this.#dropLive(id)
    this.#deps.changes.publish({ what: 'grant', id, reason, text, decidedAt: endedAt })
    this.#arm()
    await this.#save(ended)
    return ended
  }

  /** Moves the end of a live grant forward, never back. @param text why, for the log */
  async shorten(id: string, endsAt: number, text: string): Promise<void> {
    const grant = this.#live.get(id)
    const narrowed = grant && narrow(grant, endsAt)
    if (!narrowed || narrowed === grant) return
    const shorter = { ...narrowed, version: grant.version + 1 }
    this.#versions.note(id, shorter.version, grant.endsAt) // until the longer window would have ended
    this.#unsaved.set(id, shorter)
    this.#setLive(shorter)
    this.#deps.changes.publish({ what: 'grant-shortened', id, endsAt: shorter.endsAt, from: grant.endsAt })
    this.#arm()
    await this.#save(shorter)
    const fields = { was_ends_at: grant.endsAt }
    await this.#deps.audit.appendRemoval(grantEvent('grant.shortened', 'system', shorter, { reason: text }, fields))
  }

  /** Ends what has expired. */
  async expire(): Promise<void> {
    const now = this.#deps.clock.now()
    const due = this.live.filter((grant) => grant.endsAt <= now)
    await Promise.all(due.map((grant) => this.end(grant.id, expiry(grant))))
    this.#arm()
  }

  /** Retries writes that failed, and forgets what no longer matters. */
  async retry(): Promise<void> {
    for (const grant of [...this.#unsaved.values()]) await this.#save(grant)
    this.#versions.forget(this.#deps.clock.now())
  }

  /** Loads the active grants of the store, also those that expired while the daemon was down: {@link expire} ends them. */
  async load(): Promise<void> {
    for (const found of await this.#deps.store.activeGrants()) {
      const { grant, problem } = await this.judge(found)
      if (problem || grant.state !== 'active') continue
      this.#versions.note(grant.id, grant.version, grant.endsAt)
      this.#setLive(grant)
    }
    this.#arm()
  }

  close(): void {
    clearTimeout(this.#timer)
  }

  #setLive(grant: StoredGrant): void {
    if (!this.#live.has(grant.id)) this.#deps.metrics.grantsActive.inc({ kind: grant.kind })
    this.#live.set(grant.id, grant)
  }

  #dropLive(id: string): void {
    const grant = this.#live.get(id)
    if (!grant) return
    this.#live.delete(id)
    this.#deps.metrics.grantsActive.dec({ kind: grant.kind })
  }

  /** The next expiry; at most an hour ahead, so that a clock that jumps forward is noticed. */
  #arm(): void {
    clearTimeout(this.#timer)
    if (this.#live.size === 0) return
    let next = Number.POSITIVE_INFINITY
    for (const grant of this.#live.values()) next = Math.min(next, grant.endsAt)
    const left = Math.min(Math.max(next - this.#deps.clock.now(), 0), longestTimerMs)
    this.#timer = setTimeout(() => this.#deps.background.run('expiry of grants', () => this.expire()), left)
    this.#timer.unref()
  }

  /** Replaces an older row by the newest state. After a failure the state still applies, in memory. */
  async #save(grant: StoredGrant): Promise<void> {
    try {
      const saved = await this.#replace(grant)
      this.#versions.note(grant.id, saved.version, Math.max(grant.endsAt, saved.endsAt))
      if (this.#unsaved.get(grant.id) === grant) this.#unsaved.delete(grant.id)
    } catch (error) {
      this.#deps.logger.error(
        { err: error, grant: grant.id },
        'could not store the end of a grant; it is in effect and will be stored later',
      )
    }
  }

  /** A few attempts, because the row may be replaced (extended) at the same time. */
  async #replace(grant: StoredGrant): Promise<StoredGrant> {
    let newest = grant
    for (let attempt = 0; attempt < 5; attempt++) {
      if (await this.#deps.store.replaceGrant(newest)) return newest
      const found = await this.#deps.store.grant(grant.id)
      if (!found) return newest // the row was deleted: it gives no access
      if (found.isSigned && found.value.state !== 'active' && found.value.version >= newest.version) return found.value
      newest = { ...grant, version: found.value.version + 1 }
    }
    throw new Error(`grant ${grant.id} keeps changing`)
  }

  async #report(grant: StoredGrant, problem: string): Promise<void> {
    if (this.#reported.has(grant.id)) return
    this.#reported.add(grant.id)
    this.#dropLive(grant.id)
    const text = 'the grant has no valid signature, so it is refused'
    this.#deps.changes.publish({
      what: 'grant',
      id: grant.id,
      reason: 'grant-revoked',
      text,
      decidedAt: this.#deps.clock.now(),
    })
    this.#deps.logger.error({ grant: grant.id, problem }, 'a grant was changed outside the broker')
    await this.#deps.audit.appendRemoval({
      type: 'grant.tampered',
      actor: 'system',
      fields: {
        grant: grant.id,
        principal: grant.principalId,
        resource: grant.resourceId,
        level: grant.level,
        problem,
      },
    })
  }
}

function expiry(grant: Grant): GrantEnd {
  const text = `the grant expired at ${new Date(grant.endsAt).toISOString()}; request a new one`
  return { state: 'expired', reason: 'grant-expired', text, event: 'grant.expired', actor: 'system' }
}

/** Every `grant.*` event names the grant, its window and its version, so that memory can be rebuilt from the log. */
export function grantEvent(
  type: AuditType,
  actor: string,
  grant: StoredGrant,
  text: Readonly<Record<string, string>> = {},
  more: AuditEvent['fields'] = {},
): AuditEvent {
  return {
    type,
    actor,
    fields: {
      grant: grant.id,
      request: grant.requestId,
      principal: grant.principalId,
      resource: grant.resourceId,
      level: grant.level,
      rule: grant.ruleName,
      rule_digest: grant.ruleDigest,
      starts_at: grant.startsAt,
      ends_at: grant.endsAt,
      version: grant.version,
      ...more,
    },
    ...(Object.keys(text).length > 0 ? { text } : {}),
  }
}
