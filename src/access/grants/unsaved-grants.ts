import type { AuditEvent, AuditLog } from '../../audit/audit.ts'
import type { KnownVersions } from '../../store/known-versions.ts'
import type { Logger } from '../../telemetry/logger.ts'
import type { AccessStore, Found } from '../rows/access-store.ts'
import type { StoredGrant } from '../rows/rows.ts'

interface UnsavedDeps {
  readonly store: Pick<AccessStore, 'grant' | 'replaceGrant' | 'replacingGrant'>
  readonly audit: Pick<AuditLog, 'appendRemoval'>
  readonly logger: Logger
  readonly versions: KnownVersions
  /** What another daemon wrote, and stands. */
  onFound(grant: StoredGrant): void
}

/** Newest states of grants whose rows could not be written (yet): they stand in for the rows. */
export class UnsavedGrants {
  readonly #deps: UnsavedDeps
  readonly #unsaved = new Map<string, StoredGrant>()
  /** Whose row and event are being written together: written alone, the row would refuse the event. */
  readonly #writing = new Set<string>()

  constructor(deps: UnsavedDeps) {
    this.#deps = deps
  }

  get(id: string): StoredGrant | undefined {
    return this.#unsaved.get(id)
  }

  /** From now on it stands in for the row. */
  add(grant: StoredGrant): void {
    this.#unsaved.set(grant.id, grant)
  }

  async retry(): Promise<void> {
    for (const grant of [...this.#unsaved.values()]) if (!this.#writing.has(grant.id)) await this.save(grant)
  }

  /**
   * Writes a change that is in effect, together with its event. Of several daemons that change the same row one is first; the others
   * look at what it did.
   * @param change what it makes of another state of the row
   * @returns false when the row had ended, or is as it should be, by another daemon
   */
  async write(
    changed: StoredGrant,
    change: (before: StoredGrant) => StoredGrant,
    toEvent: (now: StoredGrant) => AuditEvent,
  ): Promise<boolean> {
    this.#writing.add(changed.id)
    try {
      return await this.#writeBoth(changed, change, toEvent)
    } finally {
      this.#writing.delete(changed.id)
    }
  }

  async #writeBoth(
    changed: StoredGrant,
    change: (before: StoredGrant) => StoredGrant,
    toEvent: (now: StoredGrant) => AuditEvent,
  ): Promise<boolean> {
    const { audit, store, logger } = this.#deps
    let newest = changed
    for (let attempt = 0; attempt < 5; attempt++) {
      if (await audit.appendRemoval(toEvent(newest), { claims: [store.replacingGrant(newest)] })) {
        await this.#noteSaved(newest)
        return true
      }
      const found = await this.#find(newest.id)
      if (!found) break
      const next = change(found.isSigned ? found.value : { ...newest, version: found.value.version })
      if (found.isSigned && isDone(found.value, next)) {
        this.#yield(newest, found.value)
        return false
      }
      if (this.#unsaved.get(newest.id) === newest) this.add(next)
      newest = next
    }
    logger.warn(
      { grant: newest.id },
      'the row of a grant is gone, or cannot be replaced; its change is in the log alone',
    )
    await audit.appendRemoval(toEvent(newest))
    await this.save(newest)
    return true
  }

  async #find(id: string): Promise<Found<StoredGrant> | undefined> {
    try {
      return await this.#deps.store.grant(id)
    } catch (error) {
      this.#deps.logger.error({ err: error, grant: id }, 'could not read a grant that has changed')
      return undefined
    }
  }

  /** What another daemon wrote stands. */
  #yield(ours: StoredGrant, theirs: StoredGrant): void {
    if (this.#unsaved.get(ours.id) === ours) this.#unsaved.delete(ours.id)
    this.#deps.versions.note(theirs.id, theirs.version, Math.max(ours.endsAt, theirs.endsAt))
    this.#deps.onFound(theirs)
  }

  /** The event may be in the spool, and the row as it was. */
  async #noteSaved(grant: StoredGrant): Promise<void> {
    this.#deps.versions.note(grant.id, grant.version, grant.endsAt)
    const found = await this.#find(grant.id)
    const isSaved = found && found.value.version >= grant.version
    if (isSaved && this.#unsaved.get(grant.id) === grant) this.#unsaved.delete(grant.id)
  }

  /** Replaces an older row by the newest state. After a failure the state still applies, in memory. */
  async save(grant: StoredGrant): Promise<void> {
    try {
      const saved = await this.#replace(grant)
      this.#deps.versions.note(grant.id, saved.version, Math.max(grant.endsAt, saved.endsAt))
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
}

/** Whether another daemon did what was to be done. */
function isDone(row: StoredGrant, wanted: StoredGrant): boolean {
  return row.state !== 'active' || (wanted.state === 'active' && row.endsAt <= wanted.endsAt)
}
