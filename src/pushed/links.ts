import { BrokerError } from '../../proxy/session.ts'
import type { AuditEvent, AuditLog, AuditRecord } from '../audit/audit.ts'
import { readEvents } from '../audit/read-events.ts'
import { type Macs, type RowProblem, unsignedRows } from '../store/signed-rows.ts'
import type { Db } from '../store/store.ts'
import type { Logger } from '../telemetry/logger.ts'
import { isSigned, signRow } from './push-rows.ts'
import type { LinkRow } from './push-tables.ts'
import type { UserOf } from './wants.ts'

/** Which user of the identity store a person is. */
export interface Link {
  readonly principalId: string
  /** Null: none any more. */
  readonly userId: string | null
  readonly userName: string | null
  /** `admin`, or the attribute by which the person was found. */
  readonly foundBy: string
  readonly linkedAt: number
  /** 1, 2 … with every change. */
  readonly version: number
}

export interface LinksDeps {
  readonly audit: Pick<AuditLog, 'append' | 'search'>
  readonly db: Db
  readonly keyring: Macs
  readonly logger: Logger
}

const linkEvents = ['identity-center.linked', 'identity-center.unlinked'] as const

/** What the log says of a person. */
interface Logged {
  readonly version: number
  readonly userId: string
}

/**
 * Who is who, as it was found once or set by an admin. From then on it stays, whatever the directory says later. Only rows that the broker
 * wrote count, and none that is older than the log says.
 */
export class Links {
  readonly #deps: LinksDeps
  readonly #rows = new Map<string, Link>()
  readonly #logged = new Map<string, Logged>()
  #generation = 0

  constructor(deps: LinksDeps) {
    this.#deps = deps
  }

  /** Another number after each change. */
  get generation(): number {
    return this.#generation
  }

  /** At start. */
  async load(): Promise<void> {
    for await (const event of readEvents(this.#deps.audit, linkEvents, 0)) this.#log(event)
    for (const row of await this.#deps.db.selectFrom('identity_center_links').selectAll().execute()) this.#take(row)
  }

  /** An event of the log. */
  async note(event: Pick<AuditRecord, 'type' | 'fields'>): Promise<void> {
    if (!linkEvents.some((type) => type === event.type)) return
    this.#log(event)
    const id = String(event.fields.principal)
    if (this.#isKnown(id)) return
    const read = this.#deps.db.selectFrom('identity_center_links').selectAll()
    const row = await read.where('id', '=', id).executeTakeFirst()
    if (row) this.#take(row)
  }

  of(principalId: string): Link | undefined {
    return this.#isKnown(principalId) ? this.#rows.get(principalId) : undefined
  }

  userOf(principalId: string): UserOf {
    const link = this.of(principalId)
    if (link) return link.userId === null ? null : { id: link.userId }
    const logged = this.#logged.get(principalId)
    return logged ? { unclear: logged.userId } : null
  }

  get all(): readonly Link[] {
    return [...this.#rows.keys()].flatMap((id) => this.of(id) ?? [])
  }

  /** @param actor principal id, or `system` @throws BrokerError STALE, AUDIT_UNAVAILABLE */
  async set(of: Omit<Link, 'version'>, actor: string): Promise<Link> {
    const { audit, db, keyring } = this.#deps
    const version =
      Math.max(this.#rows.get(of.principalId)?.version ?? 0, this.#logged.get(of.principalId)?.version ?? 0) + 1
    const link = { ...of, version }
    const { id, ...row } = signRow(keyring, 'identity_center_links', toRow(link))
    const insert = db.insertInto('identity_center_links').values({ id, ...row })
    const writing = insert
      .onConflict((conflict) =>
        conflict.column('id').doUpdateSet(row).where('identity_center_links.version', '<', version),
      )
      .returning('id')
    await audit.append(linkEvent(link, this.of(of.principalId), actor), { claims: [writing.compile()] })
    this.#rows.set(link.principalId, link)
    this.#generation++
    return link
  }

  /** For `audit verify`. */
  checkRows(): AsyncIterable<RowProblem> {
    const { db, keyring } = this.#deps
    const page = (after: string, limit: number): Promise<LinkRow[]> =>
      db.selectFrom('identity_center_links').selectAll().where('id', '>', after).orderBy('id').limit(limit).execute()
    return unsignedRows('identity center link', page, (row) => isSigned(keyring, 'identity_center_links', row))
  }

  #isKnown(id: string): boolean {
    return (this.#rows.get(id)?.version ?? 0) >= (this.#logged.get(id)?.version ?? 0)
  }

  #take(row: LinkRow): void {
    if (!isSigned(this.#deps.keyring, 'identity_center_links', row)) {
      this.#deps.logger.error(
        { principal: row.id },
        'the row of a link was changed outside the broker; it does not count',
      )
      return
    }
    const known = this.#rows.get(row.id)
    if (known && known.version >= row.version) return
    this.#rows.set(row.id, toLink(row))
    this.#generation++
  }

  #log({ fields }: Pick<AuditRecord, 'fields'>): void {
    const { principal, version, user, was } = fields
    if (typeof principal !== 'string' || typeof version !== 'number') return
    if ((this.#logged.get(principal)?.version ?? 0) >= version) return
    this.#generation++
    this.#logged.set(principal, { version, userId: String(user ?? was ?? '') })
  }
}

function linkEvent(link: Link, before: Link | undefined, actor: string): AuditEvent {
  const { principalId, userId, userName, foundBy, version } = link
  return {
    type: userId === null ? 'identity-center.unlinked' : 'identity-center.linked',
    actor,
    fields: { principal: principalId, user: userId, was: before?.userId ?? null, found_by: foundBy, version },
    ...(userName === null ? {} : { text: { user_name: userName } }),
  }
}

function toRow(link: Link) {
  return {
    id: link.principalId,
    user_id: link.userId,
    user_name: link.userName,
    found_by: link.foundBy,
    linked_at: link.linkedAt,
    version: link.version,
  }
}

function toLink(row: LinkRow): Link {
  return {
    principalId: row.id,
    userId: row.user_id,
    userName: row.user_name,
    foundBy: row.found_by,
    linkedAt: row.linked_at,
    version: row.version,
  }
}

/** Of `sallyport identity-center`. */
export function noLink(id: string): BrokerError {
  return new BrokerError('NOT_FOUND', `${id} is linked to no user of Identity Center`)
}
