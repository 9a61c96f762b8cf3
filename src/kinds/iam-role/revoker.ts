import { BrokerError, type EndReason } from '../../../proxy/session.ts'
import type { AccessService } from '../../access/access.ts'
import type { AuditLog } from '../../audit/audit.ts'
import type { Boundary } from '../../aws/boundary.ts'
import type { Change, Changes } from '../../store/changes.ts'
import type { Clock } from '../../telemetry/clock.ts'
import type { Logger } from '../../telemetry/logger.ts'
import type { CredentialRow, CredentialStore } from './credential-store.ts'

export interface RevokerDeps {
  readonly access: Pick<AccessService, 'check'>
  readonly audit: Pick<AuditLog, 'appendRemoval'>
  readonly boundary: Boundary
  readonly changes: Changes
  readonly clock: Clock
  readonly logger: Logger
  readonly store: CredentialStore
}

/** Reasons after which the sessions end, and what was handed out may go on: nothing says that access was taken away. */
const harmless: readonly EndReason[] = ['drain', 'daemon-lost', 'store-lost', 'client-closed', 'idle']
/** How long an entry stays in the deny list after its credentials ran out: clocks differ. */
const slackMs = 60_000
/** How far back a sweep looks for entries that have run out. */
const lookBackMs = 7_200_000

type Removal = Exclude<Change, { what: 'rules' | 'directory' }>

/**
 * What becomes of credentials that were handed out when access is taken away: of revocable roles they are killed through the
 * permissions boundary, of others it is written down until when they work. Goes by the rows, so that neither a restart nor
 * an earlier life of the daemon loses any.
 */
export class Revoker {
  readonly #deps: RevokerDeps
  readonly #failed = new Set<string>()
  #running: Promise<void> = Promise.resolve()
  #cleanedAt = 0

  constructor(deps: RevokerDeps) {
    this.#deps = deps
    deps.changes.subscribe((change) => {
      if (change.what !== 'rules' && change.what !== 'directory') this.#soon(() => this.#onChange(change))
    })
  }

  /** At start: access that was taken away while nobody was there to act on it. */
  async recover(): Promise<void> {
    const { access, store, clock } = this.#deps
    const stands = new Map<string, boolean>()
    for (const row of await store.undoomed(clock.now())) {
      const { principal_id: principalId, resource_id: resource, grant_id: grantId } = row
      const known = stands.get(grantId) ?? (await access.check({ principalId, resource, grantId })).allowed
      stands.set(grantId, known)
      if (!known) await store.doom([row.access_key_id], clock.now(), 'session')
    }
    this.#soon(() => this.#settleAll())
  }

  /** Tries again what failed, and drops entries that have run out. */
  async sweep(): Promise<void> {
    this.#soon(() => this.#settleAll())
    const { clock, store } = this.#deps
    if (clock.now() - this.#cleanedAt < slackMs) return await this.#running
    const since = this.#cleanedAt === 0 ? clock.now() - lookBackMs : this.#cleanedAt - lookBackMs
    this.#cleanedAt = clock.now()
    for (const place of await store.deniedIn(since)) this.#soon(() => this.#clean(place))
    await this.#running
  }

  /** Resolves when what was begun is done. */
  async idle(): Promise<void> {
    await this.#running
  }

  /** One after the other: the same entry is not written twice. */
  #soon(work: () => Promise<void>): void {
    this.#running = this.#running
      .then(work)
      .catch((error: unknown) =>
        this.#deps.logger.error({ err: error }, 'credentials could not be revoked; tried again'),
      )
  }

  async #onChange(change: Removal): Promise<void> {
    if (harmless.includes(change.reason)) return
    const { store, clock } = this.#deps
    const rows = (await store.undoomed(clock.now())).filter((row) => concerns(change, row))
    if (rows.length === 0) return
    const keys = rows.map((row) => row.access_key_id)
    await store.doom(keys, change.decidedAt, change.what === 'grant' ? 'grant' : 'session')
    await this.#settleAll()
  }

  async #settleAll(): Promise<void> {
    const rows = await this.#deps.store.unsettled(this.#deps.clock.now())
    const outliving = Object.values(Object.groupBy(rows, (row) => (row.revocable ? '' : row.session_id)))
    for (const group of outliving) if (group?.[0]?.revocable === 0) await this.#writeDown(group)
    const byAccount = Object.groupBy(
      rows.filter((row) => row.revocable),
      (row) => row.account,
    )
    for (const group of Object.values(byAccount)) if (group) await this.#kill(group)
  }

  async #writeDown(rows: readonly CredentialRow[]): Promise<void> {
    await this.#deps.audit.appendRemoval({ type: 'credentials.outlive', actor: 'system', fields: describe(rows) })
    await this.#settle(rows)
  }

  async #kill(rows: readonly CredentialRow[]): Promise<void> {
    const { boundary, audit, clock } = this.#deps
    const [{ account, partition } = { account: '', partition: '' }] = rows
    const denials = rows.map((row) => ({
      by: row.doomed_by === 'grant' ? ('grant' as const) : ('session' as const),
      id: row.doomed_by === 'grant' ? row.grant_id : row.session_id,
      until: row.works_until + slackMs,
    }))
    const sessions = Object.values(Object.groupBy(rows, (row) => row.session_id)).map((group) => group ?? [])
    try {
      const { arn, version } = await boundary.deny({ account, partition }, denials)
      for (const group of sessions) {
        const fields = { ...describe(group), policy: arn, version, killed_at: clock.now() }
        await audit.appendRemoval({ type: 'credentials.killed', actor: 'system', fields })
      }
      await this.#settle(rows)
    } catch (error) {
      await this.#onFailure(sessions, error)
      throw error
    }
  }

  /** Written down once for each session; the sweep goes on trying. */
  async #onFailure(sessions: readonly (readonly CredentialRow[])[], error: unknown): Promise<void> {
    const code = error instanceof BrokerError ? error.code : 'INTERNAL'
    for (const group of sessions) {
      const id = group[0]?.session_id ?? ''
      if (this.#failed.has(id)) continue
      this.#failed.add(id)
      const event = { type: 'credentials.kill-failed' as const, actor: 'system', fields: { ...describe(group), code } }
      await this.#deps.audit.appendRemoval({ ...event, text: { reason: (error as Error).message } })
    }
  }

  async #settle(rows: readonly CredentialRow[]): Promise<void> {
    const keys = rows.map((row) => row.access_key_id)
    for (const row of rows) this.#failed.delete(row.session_id)
    await this.#deps.store.settle(keys, this.#deps.clock.now())
  }

  async #clean(place: { account: string; partition: string }): Promise<void> {
    const { version, isNew } = await this.#deps.boundary.deny(place, [])
    if (isNew) this.#deps.logger.info({ ...place, version }, 'entries that have run out left the deny list')
  }
}

const subjects: Record<Removal['what'], (row: CredentialRow) => string> = {
  grant: (row) => row.grant_id,
  principal: (row) => row.principal_id,
  login: (row) => row.credential_id,
  token: (row) => row.credential_id,
  resource: (row) => row.resource_id,
  session: (row) => row.session_id,
}

function concerns(change: Removal, row: CredentialRow): boolean {
  return subjects[change.what](row) === change.id
}

/** What the log says of one session's keys, whichever of the three happened. */
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
