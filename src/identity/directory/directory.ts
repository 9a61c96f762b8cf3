import type { CompiledQuery } from 'kysely'
import { BrokerError, type EndReason } from '../../../proxy/session.ts'
import type { AuditEvent, AuditRecord } from '../../audit/audit.ts'
import { type ListPage, readPage } from '../../store/lists.ts'
import type { IdentityDeps } from '../identity-deps.ts'
import { emailKey, looksLikeEmail, shownName } from '../names.ts'
import type { Principal, Standing } from '../principal.ts'
import type { Removals } from '../removals.ts'
import { isSigned, type Row, type Unsigned } from '../signed-rows.ts'
import { changed, groupsOf } from './changed.ts'
import { type Claims, isCenterGroup, isSameToRules, narrowTo, parseGroups } from './claims.ts'
import {
  createDirectoryStore,
  type DirectoryQuery,
  type DirectoryStore,
  type Labelled,
  type Step,
} from './directory-store.ts'
import { retried } from './retried.ts'

type PrincipalRow = Row<'principals'>
type DirectoryDeps = Pick<IdentityDeps, 'db' | 'keyring' | 'audit' | 'clock' | 'logger' | 'changes'> & {
  readonly removals: Removals
}

/** `decidedAt`: now, unless it was decided elsewhere. */
type RemovalCause = { readonly reason: EndReason; readonly text: string } & (
  | object
  | { readonly decidedAt: number; readonly from: 'elsewhere' }
)

const inactiveText = 'this identity is no longer active at the identity provider'

/**
 * People and service accounts, as the provider last described them. A row is only ever stored in place of the one that was read: two
 * daemons that change one at once are told, the later one by STALE. Within a daemon, changes hold the principal's lock in the mutex.
 */
export class Directory {
  readonly #deps: DirectoryDeps
  readonly #store: DirectoryStore
  readonly #reported = new Set<string>()
  /** Who made which service account, from the audit log. */
  readonly #makers = new Map<string, string>()

  constructor(deps: DirectoryDeps) {
    this.#deps = deps
    this.#store = createDirectoryStore(deps.db, deps.keyring)
  }

  /** Fresh from the store; undefined when unknown, or not written by the broker. */
  async principal(id: string): Promise<Principal | undefined> {
    return await this.#read(this.#store.labelled(id))
  }

  /** The same of the one in whose name a connect token is. */
  async ownerOf(tokenId: string): Promise<Principal | undefined> {
    return await this.#read(this.#store.labelledOwner(tokenId))
  }

  /** The same without what it is called. */
  async standing(id: string): Promise<Standing | undefined> {
    const row = await this.row(id)
    return row && (await this.#standingOf(row))
  }

  /** An e-mail is a verified one and never a name. @throws BrokerError NOT_FOUND, RESOURCE_AMBIGUOUS */
  async find(reference: string): Promise<Principal> {
    const found = looksLikeEmail(reference)
      ? await this.#byEmail(reference)
      : ((await this.#byId(reference)) ?? (await this.#byName(reference)))
    if (!found) throw new BrokerError('NOT_FOUND', `no principal ${reference}`)
    return found
  }

  /** Ids of other active principals to whom a provider gives this login name, now or by another claim. */
  async othersWithLoginName(name: string, id: string): Promise<string[]> {
    const others = await this.#store.withLoginName(name)
    return others.flatMap((other) => (other.id === id ? [] : [other.id]))
  }

  /** Whether another principal has this one as its manager. */
  async hasReports(principal: Principal): Promise<boolean> {
    return await this.#store.hasReports(principal.email === null ? null : emailKey(principal.email), principal)
  }

  /** In the order of ids. */
  async page(query: DirectoryQuery): Promise<ListPage<Principal & { readonly seenAt: number }>> {
    return await readPage<PrincipalRow, Principal & { readonly seenAt: number }>(
      {
        read: (cursor, limit) => this.#store.page(query, cursor, limit),
        cursorOf: ({ id }) => id,
        choose: async (found) => {
          const row = await this.#genuine(found)
          return row && (async () => ({ ...(await this.#toPrincipal(row)), seenAt: row.seen_at }))
        },
        count: (most) => this.#store.count(query, most),
      },
      query,
    )
  }

  /** The row, if the broker wrote it and no older one was restored. */
  async row(id: string): Promise<PrincipalRow | undefined> {
    return await this.#genuine(await this.#store.row(id))
  }

  /** The audit log knows who made this service account. */
  noteMaker(id: string, makerId: string): void {
    this.#makers.set(id, makerId)
  }

  isSubjectTaken(issuer: string, subject: string): Promise<boolean> {
    return this.#store.isSubjectTaken(issuer, subject)
  }

  /** Of principals that are in groups of Identity Center: the names of these, by id. */
  async inCenterGroups(): Promise<ReadonlyMap<string, readonly string[]>> {
    const found = new Map<string, readonly string[]>()
    for (const row of await this.#store.inCenterGroups()) {
      const groups = parseGroups(row.groups).filter(isCenterGroup)
      if (groups.length > 0 && row.kind !== 'service' && (await this.#genuine(row))) found.set(row.id, groups)
    }
    return found
  }

  /** What follows a row that was read, to be stored in its place alone. */
  next(before: PrincipalRow, change: Partial<Omit<Unsigned<'principals'>, 'id' | 'version'>>): Step {
    const { mac: _, ...columns } = before
    return this.#step(before, { ...columns, ...change })
  }

  /** Stores a new principal with the event that tells of it. @throws BrokerError STALE when it is there already, AUDIT_UNAVAILABLE */
  async create(row: Omit<Unsigned<'principals'>, 'version'>, event: AuditEvent): Promise<Step> {
    const stored = await this.#store.row(row.id)
    if (await this.#genuine(stored)) throw new BrokerError('STALE')
    const step = this.#step(stored, row)
    await this.give(event, step)
    await this.publishSharers(row)
    return step
  }

  /** Stores a step with the event of what it gives. @param writes what else comes with it. @throws BrokerError STALE, AUDIT_UNAVAILABLE */
  async give(event: AuditEvent, step: Step, writes: readonly CompiledQuery[] = []): Promise<AuditRecord> {
    const record = await this.#deps.audit.append(event, { claims: [step.claim], writes })
    this.#note(step)
    return record
  }

  /** Stores a step with the event of what it takes away; when the log is down, with one in its spool. @throws BrokerError STALE, or when the store is down */
  async take(event: AuditEvent, step: Step): Promise<void> {
    const { audit } = this.#deps
    if (!(await audit.appendRemoval(event, { claims: [step.claim] }))) throw new BrokerError('STALE')
    const isSpooled = audit
      .spooled()
      .some(({ type, fields }) => type === event.type && fields.principal === step.row.id)
    if (isSpooled && (await this.#store.row(step.row.id))?.mac !== step.row.mac) await this.put(step)
    else this.#note(step)
  }

  /** Stores a step that no event tells of. @throws BrokerError STALE when another came first */
  async put(step: Step): Promise<void> {
    if (!(await this.#store.run(step.claim))) throw new BrokerError('STALE')
    this.#note(step)
  }

  /**
   * Updates a row to what the provider says now. Removals take effect before they are audited; additions are audited
   * first.
   * @throws BrokerError AUDIT_UNAVAILABLE: removals have taken effect, additions have not; STALE
   */
  async update(row: PrincipalRow, claims: Claims): Promise<void> {
    await this.put(await this.describe(row, claims))
  }

  /** {@link update}, but for the last step, which changes nothing that rules look at. */
  async describe(row: PrincipalRow, given: Claims): Promise<Step> {
    const claims = { ...given, groups: groupsOf(parseGroups(given.groups), parseGroups(row.groups)) }
    const seen = { ...row, seen_at: this.#deps.clock.now() }
    const narrowed = narrowTo(seen, claims)
    const full = { ...seen, ...claims, active: 1 }
    let newest = row
    if (!isSameToRules(narrowed, row)) {
      const step = this.next(newest, narrowed)
      await this.take(changed(step.row, row), step)
      newest = step.row
      await this.publishWithOwned(row.id)
    }
    if (!isSameToRules(full, narrowed)) {
      const step = this.next(newest, full)
      await this.give(changed(step.row, narrowed), step)
      newest = step.row
      await this.publishWithOwned(row.id)
    }
    if (!isSameToRules(full, row)) await this.publishSharers(full)
    return this.next(newest, full)
  }

  /** A principal that the provider no longer knows, with the service accounts it owns. Grants and sessions end before it is stored. */
  async deactivate(id: string, text = inactiveText): Promise<void> {
    if ((await this.row(id))?.active !== 1) return
    await this.cut(id, { reason: 'principal-inactive', text })
    await retried(async () => {
      const row = await this.row(id)
      if (row?.active !== 1) return
      const step = this.next(row, { active: 0 })
      await this.take({ ...changed(step.row, row), text: { reason: text } }, step)
    })
    await this.publishWithOwned(id) // now the store says so too, and grants are judged by it
  }

  /** Ends the sessions of a principal, then those of the service accounts it owns. */
  async cut(id: string, how: RemovalCause): Promise<void> {
    const { changes, clock } = this.#deps
    const { text, ...rest } = { decidedAt: clock.now(), ...how }
    changes.publish({ what: 'principal', id, text, ...rest })
    for (const owned of await this.#ownedIds(id))
      changes.publish({ what: 'principal', id: owned, text: `of its owner: ${text}`, ...rest })
  }

  /** An e-mail or login name that two principals share belongs to neither: the others must be judged again. */
  async publishSharers(row: Pick<PrincipalRow, 'id' | 'email_key' | 'email_verified' | 'login_name'>): Promise<void> {
    const { email_key: key, login_name: name } = row
    const others = [
      ...(key === null || row.email_verified !== 1 ? [] : await this.#store.withEmail(key)),
      ...(name === null ? [] : await this.#store.withLoginName(name)),
    ]
    for (const id of new Set(others.map((other) => other.id))) if (id !== row.id) this.#publish(id)
  }

  /** @param before undefined: there is none, or none that the broker wrote */
  #step(before: PrincipalRow | undefined, row: Omit<Unsigned<'principals'>, 'version'>): Step {
    const version = Math.max(before?.version ?? 0, this.#deps.removals.version(row.id)) + 1
    return this.#store.replace(before, { ...row, version })
  }

  #note({ row: { id, version } }: Step): void {
    this.#deps.removals.noteVersion(id, version)
  }

  #publish(id: string): void {
    this.#deps.changes.publish({ what: 'directory', id })
  }

  /** Service accounts hold at most what their owner holds. */
  async publishWithOwned(id: string): Promise<void> {
    this.#publish(id)
    for (const owned of await this.#ownedIds(id)) this.#publish(owned)
  }

  /** Without their owner they stop anyway, also when the store cannot say here which they are. */
  async #ownedIds(id: string): Promise<string[]> {
    try {
      return (await this.#store.ownedBy(id)).map((row) => row.id)
    } catch (error) {
      this.#deps.logger.error({ err: error, principal: id }, 'could not look up the service accounts of an identity')
      return []
    }
  }

  async #byId(reference: string): Promise<Principal | undefined> {
    return reference.startsWith('prn_') ? await this.principal(reference) : undefined
  }

  async #byEmail(reference: string): Promise<Principal | undefined> {
    const rows = await this.#allGenuine(this.#store.withEmail(emailKey(reference)))
    const owners = rows.filter(({ email }) => email !== null)
    if (rows.length > 1 && owners.length !== 1) throw ambiguous(reference, rows)
    return owners[0]
  }

  async #byName(reference: string): Promise<Principal | undefined> {
    const found = await this.#allGenuine(this.#store.named(reference))
    if (found.length > 1) throw ambiguous(reference, found)
    return found[0]
  }

  async #allGenuine(rows: Promise<PrincipalRow[]>): Promise<Principal[]> {
    const genuine = await Promise.all((await rows).map((row) => this.#genuine(row)))
    return await Promise.all(genuine.flatMap((row) => (row ? [this.#toPrincipal(row)] : [])))
  }

  async #genuine(row: PrincipalRow | undefined): Promise<PrincipalRow | undefined> {
    if (!row || this.#problemOf(row) === undefined) return row
    // One that was replaced while it was being read looks restored; a second read tells.
    const again = await this.#store.row(row.id)
    const problem = again && this.#problemOf(again)
    if (problem !== undefined) this.#report(row.id, problem)
    return problem === undefined ? again : undefined
  }

  #problemOf(row: PrincipalRow): string | undefined {
    if (!isSigned(this.#deps.keyring, 'principals', row)) return 'its signature is not valid'
    const isOld = row.version < this.#deps.removals.version(row.id)
    return isOld ? 'it is older than the version that the broker wrote' : undefined
  }

  #report(id: string, problem: string): void {
    if (this.#reported.has(id)) return
    this.#reported.add(id)
    this.#deps.logger.error({ principal: id, problem }, 'a principal was changed outside the broker')
    const fields = { table: 'principals', row: id, problem }
    void this.#deps.audit.appendRemoval({ type: 'store.refused', actor: 'system', fields }) // never rejects
  }

  async #read(reading: Promise<Labelled | undefined>): Promise<Principal | undefined> {
    const found = await reading
    const row = await this.#genuine(found?.row)
    if (!found || !row) return undefined
    return await this.#toPrincipal(row, row === found.row ? labelOf(row, found.isEmailShared) : undefined)
  }

  async #toPrincipal(row: PrincipalRow, label?: string | null): Promise<Principal> {
    const email = label === undefined ? await this.#labelOf(row) : label
    return {
      id: row.id,
      kind: row.kind === 'service' ? 'service' : 'person',
      issuer: row.issuer,
      subject: row.subject,
      name: nameOf(row, email),
      email,
      manager: row.manager,
      madeBy: this.#makers.get(row.id) ?? null,
      ...(await this.#standingOf(row)),
    }
  }

  async #standingOf(row: PrincipalRow): Promise<Standing> {
    const own = this.#ownStanding(row)
    if (row.kind !== 'service') return own
    const owner = row.owner_id === null ? undefined : await this.row(row.owner_id)
    return underOwner(own, owner && owner.kind !== 'service' ? this.#ownStanding(owner) : undefined)
  }

  #ownStanding(row: PrincipalRow): Standing {
    return {
      groups: parseGroups(row.groups),
      active: row.active === 1,
      lockedAt: this.#deps.removals.lockedAt(row.id) ?? row.locked_at,
      ownerId: row.owner_id,
    }
  }

  /** What a person is called from now on, for the log. */
  async nameOf(row: Named): Promise<string> {
    return nameOf(row, await this.#labelOf(row))
  }

  /** The e-mail, where the provider says that it is verified and no one else has it. */
  async #labelOf(row: Named): Promise<string | null> {
    const { email_key: key, email_verified: isVerified, id } = row
    return labelOf(row, key !== null && isVerified === 1 && (await this.#store.isEmailShared(key, id)))
  }
}

function labelOf({ email, email_key: key, email_verified: isVerified }: Named, isShared: boolean): string | null {
  return key !== null && isVerified === 1 && !isShared ? email : null
}

/** It holds at most what its owner holds, and stops with them. */
function underOwner(account: Standing, owner: Standing | undefined): Standing {
  const groups = account.groups.filter((group) => owner?.groups.includes(group))
  const active = account.active && owner?.active === true
  return { ...account, groups, active, lockedAt: account.lockedAt ?? owner?.lockedAt ?? null }
}

type Named = Pick<
  PrincipalRow,
  'id' | 'subject' | 'username' | 'display_name' | 'email' | 'email_key' | 'email_verified'
>

function nameOf({ username, display_name: name, subject }: Named, email: string | null): string {
  return shownName({ email, username, name, subject })
}

function ambiguous(reference: string, found: readonly Principal[]): BrokerError {
  const ids = found.map(({ id }) => id).join(', ')
  return new BrokerError('RESOURCE_AMBIGUOUS', `${reference} matches ${ids}`, { hint: 'use the id' })
}
