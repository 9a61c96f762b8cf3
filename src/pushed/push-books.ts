import { BrokerError } from '../../proxy/session.ts'
import type { AuditLog, AuditRecord } from '../audit/audit.ts'
import { readEvents } from '../audit/read-events.ts'
import type { Leadership } from '../daemons/leadership.ts'
import { pages } from '../store/pages.ts'
import { type Macs, type RowProblem, unsignedRows } from '../store/signed-rows.ts'
import type { Db } from '../store/store.ts'
import type { Logger } from '../telemetry/logger.ts'
import { keyOf } from './membership.ts'
import type { Push } from './push.ts'
import { isSigned, pushEvent, pushEvents, pushOfEvent, pushToRow, rowToPush, signRow } from './push-rows.ts'
import type { PushRow } from './push-tables.ts'
import type { PushBooks, PushTold } from './reconcile-ports.ts'

export interface PushBooksDeps {
  readonly audit: Pick<AuditLog, 'append' | 'appendRemoval' | 'search'>
  readonly db: Db
  readonly keyring: Macs
  readonly leader: Pick<Leadership, 'claim'>
  readonly logger: Logger
}

interface Known {
  readonly version: number
  readonly isOpen: boolean
}

/** Rows behind which there is an older event, or none, are those of memberships that are long over. */
const lookBackMs = 400 * 86_400_000
const pageSize = 500
const releasedAtOnce = 100

/**
 * The rows of pushes, each no older than the log says. A row that the broker did not write, that was put back, or that is gone, is made
 * anew from the log, so that write access to the store is not enough to make us give or take anything.
 */
export class StoredPushes implements PushBooks {
  readonly #deps: PushBooksDeps
  /** What the log, and this daemon, know of each. */
  readonly #known = new Map<string, Known>()

  constructor(deps: PushBooksDeps) {
    this.#deps = deps
  }

  /** At start. @param now epoch milliseconds */
  async load(now: number): Promise<void> {
    for await (const event of readEvents(this.#deps.audit, pushEvents, now - lookBackMs)) this.note(event)
  }

  /** An event of the log, of this daemon or another one. */
  note({ type, fields }: Pick<AuditRecord, 'type' | 'fields'>): void {
    if (!type.startsWith('push.') || typeof fields.push !== 'string' || typeof fields.version !== 'number') return
    this.#note(fields.push, { version: fields.version, isOpen: fields.state !== 'gone' })
  }

  async open(): Promise<readonly Push[]> {
    const { db } = this.#deps
    const found: Push[] = []
    const seen = new Set<string>()
    const read = (after: string) =>
      db
        .selectFrom('pushes')
        .selectAll()
        .where('state', '!=', 'gone')
        .where('id', '>', after)
        .orderBy('id')
        .limit(pageSize)
        .execute()
    for await (const rows of pages('', (row: PushRow) => row.id, read))
      for (const row of rows) {
        const push = await this.#trusted(row)
        seen.add(row.id)
        if (push && push.state !== 'gone') found.push(push)
      }
    for (const [key, { isOpen }] of this.#known) {
      if (!isOpen || seen.has(key)) continue
      const push = await this.find(key)
      if (push && push.state !== 'gone') found.push(push)
    }
    return found
  }

  async find(key: string): Promise<Push | undefined> {
    const row = await this.#deps.db.selectFrom('pushes').selectAll().where('id', '=', key).executeTakeFirst()
    if (row) return await this.#trusted(row)
    return this.#known.has(key) ? await this.#fromLog(key, 'it is in the log, but its row is gone') : undefined
  }

  async write(next: Push, told?: PushTold): Promise<void> {
    const { audit, db, leader } = this.#deps
    const query = this.#writing(next)
    if (told) {
      const event = pushEvent(next, told)
      const beside = { claims: [leader.claim(), query] }
      // What takes away is not held up by a log that is down.
      const takes = told.type === 'removed' || (told.type === 'begun' && told.to === 'absent')
      if (!takes) await audit.append(event, beside)
      else if (!(await audit.appendRemoval(event, beside))) throw stale(next)
    } else if ((await db.executeQuery(query)).rows.length === 0) throw stale(next)
    this.#note(keyOf(next.membership), { version: next.version, isOpen: next.state !== 'gone' })
  }

  /** As told by an admin. @throws BrokerError STALE, AUDIT_UNAVAILABLE */
  async adopt(next: Push, actor: string): Promise<void> {
    await this.#deps.audit.append(pushEvent(next, { type: 'adopted' }, actor), { claims: [this.#writing(next)] })
    this.#note(keyOf(next.membership), { version: next.version, isOpen: true })
  }

  /** As told by an admin who looked at a list of this digest. @param next all of it @throws BrokerError STALE, AUDIT_UNAVAILABLE */
  async release(
    next: readonly Push[],
    { digest, actor }: { readonly digest: string; readonly actor: string },
  ): Promise<void> {
    for (let i = 0; i < next.length; i += releasedAtOnce) {
      const some = next.slice(i, i + releasedAtOnce)
      const pushes = some.map(({ membership }) => keyOf(membership))
      const fields = { digest, count: some.length, of: next.length, pushes }
      const claims = some.map((push) => this.#writing(push))
      await this.#deps.audit.append({ type: 'push.released', actor, fields }, { claims })
      for (const { membership, version } of some) this.#note(keyOf(membership), { version, isOpen: true })
    }
  }

  /** For `audit verify`. */
  async *checkRows(): AsyncGenerator<RowProblem> {
    const { db, keyring } = this.#deps
    const page = (after: string, limit: number): Promise<PushRow[]> =>
      db.selectFrom('pushes').selectAll().where('id', '>', after).orderBy('id').limit(limit).execute()
    yield* unsignedRows('push', page, (row) => isSigned(keyring, 'pushes', row))
    for (const [id, { version }] of this.#known) {
      const row = await db.selectFrom('pushes').select('version').where('id', '=', id).executeTakeFirst()
      if (!row) yield { where: 'push', at: id, what: 'it is in the log, but its row is gone' }
      else if (row.version < version) yield { where: 'push', at: id, what: 'an earlier state of it was restored' }
    }
  }

  /** The row must have the version before; that of a new one is 1. */
  #writing(next: Push) {
    const { db, keyring } = this.#deps
    const { id, ...row } = signRow(keyring, 'pushes', pushToRow(next))
    return next.version === 1
      ? db
          .insertInto('pushes')
          .values({ id, ...row })
          .onConflict((conflict) => conflict.column('id').doNothing())
          .returning('id')
          .compile()
      : db
          .updateTable('pushes')
          .set(row)
          .where('id', '=', id)
          .where('version', '=', next.version - 1)
          .returning('id')
          .compile()
  }

  async #trusted(row: PushRow): Promise<Push | undefined> {
    if (!isSigned(this.#deps.keyring, 'pushes', row)) return await this.#fromLog(row.id, 'its signature is not valid')
    if (row.version < (this.#known.get(row.id)?.version ?? 0))
      return await this.#fromLog(row.id, 'an earlier state of it was restored')
    return rowToPush(row)
  }

  /** Makes the row anew. Undefined: the log has nothing of it, so it counts for nothing. */
  async #fromLog(key: string, problem: string): Promise<Push | undefined> {
    const { audit, db, keyring, logger } = this.#deps
    const { events } = await audit.search({ types: pushEvents, subject: key, limit: 1 })
    const logged = events[0] && pushOfEvent(events[0])
    const version = Math.max(logged?.version ?? 0, this.#known.get(key)?.version ?? 0) + 1
    if (logged) {
      const { id, ...row } = signRow(keyring, 'pushes', pushToRow({ ...logged, version }))
      const insert = db.insertInto('pushes').values({ id, ...row })
      await insert.onConflict((conflict) => conflict.column('id').doUpdateSet(row)).execute()
      this.#note(key, { version, isOpen: logged.state !== 'gone' })
    } else await db.deleteFrom('pushes').where('id', '=', key).execute()
    logger.error({ push: key, problem }, 'the row of a push was changed outside the broker; restored from the log')
    const fields = { table: 'pushes', row: key, problem }
    await audit.appendRemoval({ type: 'store.refused', actor: 'system', fields })
    return logged && { ...logged, version }
  }

  #note(key: string, { version, isOpen }: Known): void {
    const known = this.#known.get(key)
    if (!known || version > known.version) this.#known.set(key, { version, isOpen })
  }
}

function stale({ membership, version }: Push): BrokerError {
  return new BrokerError('STALE', `version ${version} of ${keyOf(membership)} was written by another daemon`)
}
