import { BrokerError } from '../../../proxy/session.ts'
import type { AuditLog } from '../../audit/audit.ts'
import type { Leadership } from '../../daemons/leadership.ts'
import type { Changes } from '../../store/changes.ts'
import { KnownVersions } from '../../store/known-versions.ts'
import type { Background } from '../../telemetry/background.ts'
import { type Clock, mostSkewMs } from '../../telemetry/clock.ts'
import type { Logger } from '../../telemetry/logger.ts'
import type { Metrics } from '../../telemetry/metrics.ts'
import type { AccessStore, Found } from '../rows/access-store.ts'
import type { StoredGrant } from '../rows/rows.ts'
import { type Grant, isLive, narrow } from './grant.ts'
import { type Ended, expiry, type GrantEnd, grantEvent, noSignature, reasonOf } from './grant-events.ts'
import { UnsavedGrants } from './unsaved-grants.ts'

export interface KeeperDeps {
  readonly store: Pick<AccessStore, 'grant' | 'activeGrants' | 'replaceGrant' | 'replacingGrant'>
  readonly audit: Pick<AuditLog, 'append' | 'appendRemoval'>
  /** Who writes down what has expired. */
  readonly leader: Pick<Leadership, 'isLeader' | 'claim'>
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

const longestTimerMs = 3_600_000

/**
 * What this daemon knows of grants beyond their rows: which are live, which ended though the store doesn't know it yet, and
 * the newest version of each. Removal takes effect here first.
 */
export class GrantKeeper {
  readonly #deps: KeeperDeps
  readonly #live = new Map<string, StoredGrant>()
  readonly #unsaved: UnsavedGrants
  readonly #versions = new KnownVersions()
  readonly #reported = new Set<string>()
  #voidUntil = 0
  #timer: NodeJS.Timeout | undefined

  constructor(deps: KeeperDeps) {
    this.#deps = deps
    const onFound = (grant: StoredGrant) => this.adopt({ grant, problem: null })
    this.#unsaved = new UnsavedGrants({ ...deps, versions: this.#versions, onFound })
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

  /** Live by the monotonic clock. One that began a moment ahead was given by another daemon, whose clock differs. */
  isLive(grant: Grant): boolean {
    const now = this.#deps.clock.now()
    const isAhead = grant.startsAt > now && grant.startsAt <= now + mostSkewMs
    return isLive(grant, isAhead ? grant.startsAt : now)
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
   * Ends a live grant: in memory, then for every subscriber, then in the store and the audit log at once. A store that
   * fails is retried by {@link retry}. @returns false when it was over, also by another daemon that was faster
   */
  async end(id: string, how: GrantEnd): Promise<boolean> {
    const endedAt = this.#deps.clock.now()
    const ended = this.#endUnsaved(id, how, endedAt)
    if (!ended) return false
    const end = (before: StoredGrant) => asEnded(before, how, endedAt)
    return await this.#unsaved.write(ended, end, (now) =>
      grantEvent(how.event, how.actor, now, how.auditText, { reason: how.reason }),
    )
  }

  /** The same for an end that the spool of the audit log has already. */
  async endUnaudited(id: string, how: Ended): Promise<void> {
    const ended = this.#endUnsaved(id, how, this.#deps.clock.now())
    if (ended) await this.#unsaved.save(ended)
  }

  /** Moves the end of a live grant forward, never back. @param text why, for the log */
  async shorten(id: string, endsAt: number, text: string): Promise<void> {
    const grant = this.#live.get(id)
    if (!grant || narrow(grant, endsAt) === grant) return
    const cut = (before: StoredGrant) => ({ ...narrow(before, endsAt), version: before.version + 1 })
    const shorter = cut(grant)
    this.#versions.note(id, shorter.version, grant.endsAt) // until the longer window would have ended
    this.#unsaved.add(shorter)
    this.#shortenHere(shorter, grant.endsAt)
    await this.#unsaved.write(shorter, cut, (now) =>
      grantEvent('grant.shortened', 'system', now, { reason: text }, { was_ends_at: grant.endsAt }),
    )
  }

  /** Ends what has expired: in the memory of every daemon, and by the one that leads in store and log. */
  async expire(): Promise<void> {
    const now = this.#deps.clock.now()
    const due = this.live.filter((grant) => grant.endsAt <= now)
    for (const grant of due) this.#endHere(grant.id, expiry(grant), now)
    await this.#writeExpired(due)
  }

  /** Another daemon ended it, and its row says so. */
  endedElsewhere(id: string, how: Pick<GrantEnd, 'reason' | 'text'>, decidedAt: number): void {
    this.#endHere(id, how, decidedAt, 'elsewhere')
  }

  /** Another daemon shortened it, and its row says so. */
  shortenedElsewhere(id: string, endsAt: number, version: number): void {
    const grant = this.#live.get(id)
    if (grant && version > grant.version && endsAt < grant.endsAt)
      this.#shortenHere({ ...grant, endsAt, version }, grant.endsAt)
  }

  /** Takes over what a row says of a live grant: another daemon may have given, extended or shortened it. */
  async readAgain(id: string): Promise<void> {
    const reading = await this.read(id)
    if (reading) this.adopt(reading)
  }

  /** @param isToEnd also one that has not begun by the clock here: where it was given it may have */
  adopt({ grant, problem }: GrantReading, isToEnd = false): void {
    const known = this.#live.get(grant.id)
    const isLive = isToEnd ? grant.state === 'active' && this.#deps.clock.now() < grant.endsAt : this.isLive(grant)
    if (problem || this.#unsaved.get(grant.id) || !isLive || (known?.version ?? 0) >= grant.version) return
    this.#versions.note(grant.id, grant.version, grant.endsAt)
    const { id, endsAt } = grant
    if (known && endsAt < known.endsAt) {
      this.#shortenHere(grant, known.endsAt)
      return
    }
    this.#setLive(grant)
    this.#arm()
    if (!known) this.#deps.changes.publish({ what: 'grant-given', id, endsAt, from: null })
    else if (endsAt > known.endsAt)
      this.#deps.changes.publish({ what: 'grant-extended', id, endsAt, from: known.endsAt })
  }

  /** Reads the rows of all live grants again: what other daemons did takes effect here even if its event was not heard. */
  async reconcile(): Promise<void> {
    const found = await this.#deps.store.activeGrants()
    const now = this.#deps.clock.now()
    const expired: StoredGrant[] = []
    for (const one of found) {
      const reading = await this.judge(one)
      const { grant, problem } = reading
      this.adopt(reading)
      if (!problem && grant.state === 'active' && grant.endsAt <= now) expired.push(grant)
    }
    await this.#writeExpired(expired)
    const active = new Set(found.map(({ value }) => value.id))
    for (const { id } of this.live) if (!active.has(id)) await this.#confirm(id)
  }

  /** Retries writes that failed, and forgets what no longer matters. */
  async retry(): Promise<void> {
    await this.#unsaved.retry()
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

  /** @returns how it ended, to be stored; undefined when it was not live any more */
  #endUnsaved(id: string, how: Ended, endedAt: number): StoredGrant | undefined {
    const grant = this.#live.get(id)
    if (!grant) return undefined
    const ended = asEnded(grant, how, endedAt)
    this.#unsaved.add(ended)
    this.#endHere(id, how, endedAt)
    return ended
  }

  #endHere(
    id: string,
    { reason, text }: Pick<GrantEnd, 'reason' | 'text'>,
    decidedAt: number,
    from?: 'elsewhere',
  ): void {
    this.#dropLive(id)
    this.#deps.changes.publish({ what: 'grant', id, reason, text, decidedAt, ...(from ? { from } : {}) })
    this.#arm()
  }

  #shortenHere(shorter: StoredGrant, from: number): void {
    this.#setLive(shorter)
    this.#deps.changes.publish({ what: 'grant-shortened', id: shorter.id, endsAt: shorter.endsAt, from })
    this.#arm()
  }

  /** A live grant without an active row: another daemon ended it, or the row was deleted. */
  async #confirm(id: string): Promise<void> {
    const grant = this.#live.get(id)
    const reading = await this.read(id)
    if (!grant || this.#live.get(id) !== grant || reading?.grant.state === 'active') return
    const text = reading?.grant.endText ?? 'the grant is no longer in the store'
    const reason = reasonOf(reading?.grant.endReason)
    this.#endHere(id, { reason, text }, this.#deps.clock.now(), 'elsewhere')
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

  /** By the daemon that leads. What fails is found again by {@link reconcile}. */
  async #writeExpired(due: readonly StoredGrant[]): Promise<void> {
    if (!this.#deps.leader.isLeader) return
    await Promise.all(due.map((grant) => this.#writeExpiry(grant)))
  }

  async #writeExpiry(grant: StoredGrant): Promise<void> {
    const { audit, leader, store, clock, logger } = this.#deps
    const how = expiry(grant)
    const ended = asEnded(grant, how, clock.now())
    const event = grantEvent(how.event, how.actor, ended, {}, { reason: how.reason })
    try {
      await audit.append(event, { claims: [leader.claim(), store.replacingGrant(ended)] })
      this.#versions.note(grant.id, ended.version, grant.endsAt)
    } catch (error) {
      if (error instanceof BrokerError && error.code === 'STALE') return // it was extended, or another daemon leads
      logger.error({ err: error, grant: grant.id }, 'could not store that a grant expired; will retry')
    }
  }

  async #report(grant: StoredGrant, problem: string): Promise<void> {
    if (this.#reported.has(grant.id)) return
    this.#reported.add(grant.id)
    this.#endHere(grant.id, { reason: 'grant-revoked', text: noSignature }, this.#deps.clock.now())
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

function asEnded(grant: StoredGrant, { state, reason, text }: Ended, endedAt: number): StoredGrant {
  return { ...grant, state, endedAt, endReason: reason, endText: text, version: grant.version + 1 }
}
