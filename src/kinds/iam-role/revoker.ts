import { BrokerError } from '../../../proxy/session.ts'
import type { AccessService } from '../../access/access.ts'
import type { AuditLog } from '../../audit/audit.ts'
import { voidUntil } from '../../audit/mark/fork.ts'
import type { Boundary, Denied, Place } from '../../aws/boundary.ts'
import type { Denial } from '../../aws/revocation-policy.ts'
import type { Leadership } from '../../daemons/leadership.ts'
import { type Changes, concerns, type Held, isRemoval, type Removal } from '../../store/changes.ts'
import type { Macs } from '../../store/signed-rows.ts'
import type { Clock } from '../../telemetry/clock.ts'
import type { Logger } from '../../telemetry/logger.ts'
import type { CredentialRow, CredentialStore } from './credential-store.ts'
import { iamRole } from './kind.ts'
import { harmless, restoreCredentials, wasCut } from './recover-credentials.ts'
import type { RoleTarget } from './target.ts'

export interface RevokerDeps {
  readonly access: Pick<AccessService, 'check' | 'resourcesKnown'>
  readonly audit: Pick<AuditLog, 'appendRemoval' | 'search'>
  readonly boundary: Boundary
  readonly changes: Changes
  readonly clock: Clock
  readonly keyring: Macs
  readonly leader: Leadership
  readonly logger: Logger
  readonly store: CredentialStore
}

/** How long an entry stays in the deny list after its credentials have expired, since clocks differ. */
const slackMs = 60_000
/** Of any role in AWS. */
const longestSessionMs = 12 * 3_600_000
/**
 * Deny lists are looked at so often: a daemon that led before, and was stopped in the middle of its call, may have written an older
 * list over a newer one. So may anyone who manages the policy.
 */
const lookAgainMs = 60_000
/** How far back the first sweep looks for entries left by a previous run. */
const lookBackMs = 7 * 86_400_000

/**
 * Acts on issued credentials when access is taken away: those of revocable roles are killed through the permissions boundary;
 * for others the audit log states until when they work. It goes by the rows in the store, so that a restart loses none. Every daemon
 * marks the rows of what it hears was taken away; the one that leads acts on the marks, also on those of others.
 */
export class Revoker {
  readonly #deps: RevokerDeps
  /** Not marked in the store yet. */
  readonly #pending: Removal[] = []
  /** By account: denials of a restore that its deny list does not have yet. */
  readonly #unsaid = new Map<string, { place: Place; denial: Denial }>()
  /** Sessions whose failure has been audited. */
  readonly #failed = new Set<string>()
  /** Of these, the ones that it has. */
  readonly #said = new Map<string, Denial>()
  /** Accounts with entries in their deny list, and when to look at it: the first of them may go, or some may be missing. */
  readonly #cleanAt = new Map<string, { place: Place; at: number }>()
  /** Accounts whose deny list is being written, each apart: one that is slow or refuses holds up no other. */
  readonly #writing = new Map<string, Promise<void>>()
  /** Of these, the ones that have more to write. */
  readonly #again = new Set<string>()
  #running: Promise<void> | undefined
  #hasLookedBack = false

  readonly #onNotStored = (error: unknown) =>
    this.#deps.logger.error({ err: error }, 'revocations could not be stored; will retry')

  constructor(deps: RevokerDeps) {
    this.#deps = deps
    deps.changes.subscribe((change) => {
      if (!isRemoval(change) || harmless.includes(change.reason)) return
      this.#pending.push(change)
      void this.#run()
    })
  }

  /** At start: handles access that was taken away while no daemon ran. */
  async recover(): Promise<void> {
    const { access, audit, store, clock } = this.#deps
    await restoreCredentials(this.#deps)
    const stands = new Map<string, boolean>()
    for (const row of await store.unrevoked(clock.now())) {
      const { principal_id: principalId, resource_id: resource, grant_id: grantId } = row
      const known = stands.get(grantId) ?? (await access.check({ principalId, resource, grantId })).allowed
      stands.set(grantId, known)
      if (!known || (await wasCut(audit, row.session_id)))
        await store.revoke([row.access_key_id], clock.now(), 'session')
    }
    await this.#denyBeforeRestore()
    void this.#run()
  }

  /** A restored store may lack credentials that were issued: every brokered role denies what is older than the restore. */
  async #denyBeforeRestore(): Promise<void> {
    const { access, audit, clock } = this.#deps
    const instant = await voidUntil(audit)
    const until = instant + longestSessionMs + slackMs
    if (until <= clock.now()) return
    const id = `${new Date(Math.ceil((instant + 1) / 1000) * 1000).toISOString().slice(0, 19)}Z` // AWS counts seconds
    for (const { target } of access.resourcesKnown().filter(({ kind }) => kind === iamRole.name)) {
      const { account, partition, isRevocable } = target as RoleTarget
      if (isRevocable) this.#unsaid.set(account, { place: { account, partition }, denial: { by: 'issued', id, until } })
    }
  }

  async #sayUnsaid(account: string): Promise<void> {
    const { boundary, logger } = this.#deps
    const unsaid = this.#unsaid.get(account)
    if (!unsaid) return
    const { place, denial } = unsaid
    try {
      const { nextEndsAt } = await boundary.deny(place, [denial])
      this.#plan(place, nextEndsAt)
      this.#said.set(account, denial)
      this.#unsaid.delete(account)
    } catch (error) {
      if (isOfFormerLeader(error)) return
      logger.error({ err: error, account }, 'what was issued before the restore could not be denied; will retry')
    }
  }

  /** Retries what failed, drops expired entries, and writes missing ones again. It waits for no account. */
  async sweep(): Promise<void> {
    await this.#run()
    const { clock, store } = this.#deps
    if (!this.#hasLookedBack) {
      for (const place of await store.deniedSince(clock.now() - lookBackMs)) this.#plan(place, 0)
      this.#hasLookedBack = true
    }
    for (const { place, at } of this.#cleanAt.values()) if (at <= clock.now()) this.#write(place.account)
  }

  /** Resolves when the current run is over, and what it began. */
  async idle(): Promise<void> {
    await this.#running
    await Promise.all(this.#writing.values())
  }

  /** One run at a time, including changes that arrive during it: many grants that end together are one change in IAM. */
  #run(): Promise<void> {
    this.#running ??= this.#work()
      .catch(this.#onNotStored)
      .finally(() => {
        this.#running = undefined
      })
    return this.#running
  }

  async #work(): Promise<void> {
    do {
      for (let next = this.#pending[0]; next; next = this.#pending[0]) {
        await this.#revoke(next)
        this.#pending.shift()
      }
      if (this.#deps.leader.isLeader) await this.#settleAll()
      else this.#forgetPlans()
    } while (this.#pending.length > 0)
  }

  /** Another daemon changes the deny lists now: should this one lead again, it looks back again. */
  #forgetPlans(): void {
    this.#hasLookedBack = false
    this.#cleanAt.clear()
  }

  async #revoke(change: Removal): Promise<void> {
    const { store, clock } = this.#deps
    const rows = (await store.unrevoked(clock.now())).filter((row) => concerns(change, heldBy(row)))
    const keys = rows.map((row) => row.access_key_id)
    if (keys.length > 0) await store.revoke(keys, change.decidedAt, change.what === 'grant' ? 'grant' : 'session')
  }

  async #settleAll(): Promise<void> {
    const rows = await this.#deps.store.unsettled(this.#deps.clock.now())
    const revocable = rows.filter((row) => row.revocable)
    for (const account of new Set([...revocable.map((row) => row.account), ...this.#unsaid.keys()]))
      this.#write(account)
    for (const group of groupBy(rows, (row) => row.session_id))
      if (!group[0]?.revocable) await this.#auditOutliving(group)
  }

  #write(account: string): void {
    if (this.#writing.has(account)) this.#again.add(account)
    else this.#writing.set(account, this.#writeAll(account).catch(this.#onNotStored))
  }

  /** Reads anew what is to be denied, so that nothing is denied and audited twice. */
  async #writeAll(account: string): Promise<void> {
    const { store, clock } = this.#deps
    try {
      do {
        this.#again.delete(account)
        const rows = (await store.unsettled(clock.now(), account)).filter((row) => row.revocable)
        if (rows.length > 0) await this.#kill(rows)
        await this.#sayUnsaid(account)
        await this.#clean(account)
      } while (this.#again.has(account))
    } finally {
      this.#writing.delete(account)
    }
  }

  async #auditOutliving(rows: readonly CredentialRow[]): Promise<void> {
    const { audit, leader } = this.#deps
    const event = { type: 'credentials.outlive' as const, actor: 'system', fields: describe(rows) }
    if (await audit.appendRemoval(event, { claims: [leader.claim()] })) await this.#settle(rows)
  }

  /** Credentials of one account. */
  async #kill(rows: readonly CredentialRow[]): Promise<void> {
    const { boundary } = this.#deps
    const [{ account, partition } = { account: '', partition: '' }] = rows
    const sessions = groupBy(rows, (row) => row.session_id)
    try {
      const denied = await boundary.deny({ account, partition }, rows.map(toDenial))
      this.#plan({ account, partition }, denied.nextEndsAt)
      await this.#auditKilled(rows, denied)
      await this.#settle(rows)
    } catch (error) {
      await this.#onFailure(account, sessions, error)
    }
  }

  async #auditKilled(rows: readonly CredentialRow[], { arn, version }: Denied): Promise<void> {
    const { audit, clock } = this.#deps
    for (const group of groupBy(rows, (row) => row.session_id)) {
      const fields = { ...describe(group), policy: arn, version, killed_at: clock.now() }
      await audit.appendRemoval({ type: 'credentials.killed', actor: 'system', fields })
    }
  }

  /** Audited once for each session; the sweep keeps retrying. */
  async #onFailure(account: string, sessions: readonly (readonly CredentialRow[])[], error: unknown): Promise<void> {
    const { audit, logger } = this.#deps
    if (isOfFormerLeader(error)) return logger.info({ account }, 'another daemon kills these credentials now')
    logger.error({ err: error, account }, 'credentials could not be killed; will retry')
    const code = error instanceof BrokerError ? error.code : 'INTERNAL'
    for (const group of sessions) {
      const id = group[0]?.session_id ?? ''
      if (this.#failed.has(id)) continue
      this.#failed.add(id)
      const event = { type: 'credentials.kill-failed' as const, actor: 'system', fields: { ...describe(group), code } }
      await audit.appendRemoval({ ...event, text: { reason: (error as Error).message } })
    }
  }

  async #settle(rows: readonly CredentialRow[]): Promise<void> {
    for (const row of rows) this.#failed.delete(row.session_id)
    const keys = rows.map((row) => row.access_key_id)
    await this.#deps.store.settle(keys, this.#deps.clock.now())
  }

  #plan(place: Place, at: number | null): void {
    if (at === null) this.#cleanAt.delete(place.account)
    else this.#cleanAt.set(place.account, { place, at: Math.min(at, this.#deps.clock.now() + lookAgainMs) })
  }

  async #clean(account: string): Promise<void> {
    const { boundary, clock, logger, store } = this.#deps
    const plan = this.#cleanAt.get(account)
    if (!plan || plan.at > clock.now()) return
    const { place } = plan
    try {
      const rows = await store.denied(clock.now(), account)
      const last = this.#said.get(account)
      const said = last && last.until > clock.now() ? [last] : []
      const denied = await boundary.deny(place, [...rows.map(toDenial), ...said])
      const { version, isNew, nextEndsAt, added } = denied
      this.#plan(place, nextEndsAt)
      if (added.length > 0) {
        logger.error({ ...place, version, added }, 'entries were missing from the deny list, and are there again')
        await this.#auditKilled(
          rows.filter((row) => added.some(({ id }) => id === toDenial(row).id)),
          denied,
        )
      } else if (isNew) logger.info({ ...place, version }, 'expired entries were removed from the deny list')
    } catch (error) {
      if (isOfFormerLeader(error)) return
      this.#plan(place, clock.now() + slackMs)
      logger.warn({ err: error, ...place }, 'the deny list could not be cleaned; will retry')
    }
  }
}

function isOfFormerLeader(error: unknown): boolean {
  return error instanceof BrokerError && error.code === 'NOT_LEADER'
}

function toDenial(row: CredentialRow) {
  const byGrant = row.doomed_by === 'grant'
  return {
    by: byGrant ? ('grant' as const) : ('session' as const),
    id: byGrant ? row.grant_id : row.session_id,
    until: row.works_until + slackMs,
  }
}

function heldBy(row: CredentialRow): Held {
  return {
    sessionId: row.session_id,
    grantId: row.grant_id,
    principalId: row.principal_id,
    credentialId: row.credential_id,
    resourceId: row.resource_id,
  }
}

function groupBy(rows: readonly CredentialRow[], key: (row: CredentialRow) => string): CredentialRow[][] {
  return [...Map.groupBy(rows, key).values()]
}

/** Fields of one session's keys, the same in all three audit events. */
function describe(rows: readonly CredentialRow[]) {
  const [first] = rows
  return {
    session: first?.session_id ?? '',
    grant: first?.grant_id ?? '',
    principal: first?.principal_id ?? '',
    resource: first?.resource_id ?? '',
    role: first?.role_arn ?? '',
    access_keys: rows.map((row) => row.access_key_id),
    works_until: Math.max(...rows.map((row) => row.works_until)),
  }
}
