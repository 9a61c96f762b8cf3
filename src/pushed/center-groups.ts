import { BrokerError } from '../../proxy/session.ts'
import type { AuditLog, AuditRecord } from '../audit/audit.ts'
import { readEvents } from '../audit/read-events.ts'
import type { GroupRead } from '../aws/identity-center/identity-center-calls.ts'
import type { MemberSeen } from '../aws/identity-center/picture.ts'
import type { Identity } from '../identity/create-identity.ts'
import { centerPrefix, isCenterGroup } from '../identity/directory/claims.ts'
import type { Changes } from '../store/changes.ts'
import type { Clock } from '../telemetry/clock.ts'
import type { Logger } from '../telemetry/logger.ts'
import type { Links } from './links.ts'
import type { People } from './people.ts'
import { isOurs } from './push.ts'
import type { PushBooks } from './reconcile-ports.ts'

export interface CenterGroupsDeps {
  readonly access: {
    /** Of rules. */
    groupsNamed(): readonly string[]
    /** Whether rules give membership in it. */
    isGiven(groupId: string): boolean
  }
  readonly audit: Pick<AuditLog, 'append' | 'search'>
  readonly books: Pick<PushBooks, 'open'>
  /** Identity Center as it is set now; null: it is not read. */
  readonly center: () => CenterReads | null
  readonly changes: Pick<Changes, 'subscribe'>
  readonly clock: Clock
  readonly identity: Pick<Identity, 'inCenterGroups' | 'setCenterGroups' | 'principals' | 'principal'>
  readonly links: Pick<Links, 'all' | 'of'>
  readonly logger: Logger
  readonly people: Pick<People, 'find'>
}

/** @throws BrokerError AWS_DENIED, AWS_UNAVAILABLE; the signal's reason */
export interface CenterReads {
  groups(signal: AbortSignal): Promise<readonly GroupRead[]>
  /** Null: there is no such group. */
  members(groupId: string, signal: AbortSignal): Promise<readonly MemberSeen[] | null>
}

/** What a name of the rules stands for now. */
export interface CenterGroup {
  /** With the prefix `idc:`. */
  readonly name: string
  /** Null: it is not known which group it is. */
  readonly id: string | null
  /** Ids of users; empty where there is a problem. */
  readonly users: ReadonlySet<string>
  /** Why nobody is in it, in words; null: those of `users` are. */
  readonly problem: string | null
}

const everyMs = 60_000
/** While AWS cannot be read, those who were in a group stay in it for so long. */
const lostMs = 3_600_000
/** People who are not linked yet are looked for a few at a time: by e-mail, each costs a reading of all. */
const foundAtOnce = 3
const foundEveryMs = 5000
/** Longer than a pass may take. */
const forgottenMs = 900_000
const pinned = 'identity-center.group-pinned'
const idForm = /^([0-9a-f]{10}-)?[A-Fa-f0-9]{8}(-[A-Fa-f0-9]{4}){3}-[A-Fa-f0-9]{12}$/

/**
 * Who is in the groups of Identity Center that rules name as `idc:NAME`, for providers that send none. A name stands for the group that
 * had it when it was first read, whatever it is called later; one that is made anew under the name is another group. What the broker
 * itself gives is no membership here: neither in a group that rules give, nor of a person whom it put in.
 */
export class CenterGroups {
  readonly #deps: CenterGroupsDeps
  /** Ids of groups by the names in rules, as the log has them. */
  readonly #pins = new Map<string, string>()
  readonly #read = new Map<string, { readonly group: CenterGroup; readonly at: number }>()
  /** Ids of principals who may be users that nobody has looked for. */
  readonly #unlinked = new Set<string>()
  /** Since when it is tried to read them. */
  #since = 0
  #ranAt = Number.NEGATIVE_INFINITY
  #areAllKnown = false
  #nextAt = 0

  constructor(deps: CenterGroupsDeps) {
    this.#deps = deps
    deps.changes.subscribe(({ what }) => {
      if (what === 'rules') this.#nextAt = 0
    })
  }

  /** At start. */
  async load(): Promise<void> {
    for await (const event of readEvents(this.#deps.audit, [pinned], 0)) this.#pin(event)
  }

  /** An event of the log, of this daemon or another one. */
  note(record: Pick<AuditRecord, 'type' | 'fields'>): void {
    const { type, fields } = record
    if (type === pinned) this.#pin(record)
    if (type === 'login.succeeded' && typeof fields.principal === 'string') this.#unlinked.add(fields.principal)
    if (type === 'login.succeeded' || type.startsWith('identity-center.')) this.#nextAt = 0
  }

  /** By the daemon that leads: reads the members of each group, and says who is in it. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, identity } = this.#deps
    const names = this.#names()
    const at = clock.now()
    const isClockBack = this.#nextAt > at + everyMs
    if (this.#nextAt > at && !isClockBack) return
    this.#nextAt = at + everyMs
    // Another daemon did it meanwhile, or the clock was set: what was read before says nothing of now.
    if (isClockBack || Math.abs(at - this.#ranAt) > forgottenMs) {
      this.#read.clear()
      this.#since = at
    }
    this.#ranAt = at
    const now = await identity.inCenterGroups()
    if (names.length === 0 && now.size === 0) {
      this.#unlinked.clear()
      this.#areAllKnown = false
      return
    }
    if (names.length > 0) await this.#findPeople(signal)
    const look = this.#look(signal, true)
    for (const name of names) {
      try {
        this.#read.set(name, { group: await look(name), at: clock.now() })
      } catch (error) {
        signal.throwIfAborted()
        this.#deps.logger.warn({ err: error, group: name }, 'a group of Identity Center could not be read; will retry')
      }
    }
    await this.#tell(names, now)
  }

  /** As they are in AWS now. @throws BrokerError AWS_DENIED, AWS_UNAVAILABLE */
  async list(signal: AbortSignal): Promise<readonly CenterGroup[]> {
    const look = this.#look(signal, false)
    const found: CenterGroup[] = []
    for (const name of this.#names()) found.push(await look(name))
    return found
  }

  /**
   * An admin says which group a name stands for from now on.
   * @param name with or without the prefix @throws BrokerError NOT_FOUND no rule names it, or there is no such group; AUDIT_UNAVAILABLE
   */
  async pin(name: string, groupId: string, actor: string): Promise<void> {
    const full = isCenterGroup(name) ? name : `${centerPrefix}${name}`
    if (!this.#names().includes(full)) throw new BrokerError('NOT_FOUND', `no rule names the group ${full}`)
    const members = await this.#center().members(groupId, AbortSignal.timeout(30_000))
    if (members === null) throw new BrokerError('NOT_FOUND', `Identity Center has no group with the id ${groupId}`)
    await this.#write(full, groupId, actor)
    this.#nextAt = 0
  }

  #names(): string[] {
    return this.#deps.access.groupsNamed().filter(isCenterGroup)
  }

  #center(): CenterReads {
    const center = this.#deps.center()
    if (!center) throw new BrokerError('NOT_FOUND', 'inventory.identity_center is not set')
    return center
  }

  /** What is read for one group serves the next. @param isPinning a name stands for its group from then on */
  #look(signal: AbortSignal, isPinning: boolean): (name: string) => Promise<CenterGroup> {
    let all: Promise<readonly GroupRead[]> | undefined
    let given: Promise<ReadonlySet<string>> | undefined
    const nobody = (name: string, id: string | null, problem: string) => ({
      name,
      id,
      users: new Set<string>(),
      problem,
    })
    return async (name) => {
      const center = this.#center()
      const title = name.slice(centerPrefix.length)
      let id = idForm.test(title) ? title : this.#pins.get(name)
      if (id === undefined) {
        all ??= center.groups(signal)
        const found = (await all).filter((group) => group.name === title)
        if (found.length === 0) return nobody(name, null, `Identity Center has no group named ${title}`)
        id = found[0]?.id
        if (found.length > 1 || id === undefined)
          return nobody(name, null, `${found.length} groups are named ${title}: an admin can say which one is meant`)
        if (isPinning) await this.#write(name, id, 'system')
      }
      if (this.#deps.access.isGiven(id))
        return nobody(name, id, 'rules give membership in it, so nobody has rights by it')
      const members = await center.members(id, signal)
      if (members === null)
        return nobody(
          name,
          id,
          'the group is gone; one that was made anew is another: an admin can say that it is meant',
        )
      given ??= this.#given()
      const ours = await given
      const users = members.map(({ userId }) => userId).filter((userId) => !ours.has(`${id} ${userId}`))
      return { name, id, users: new Set(users), problem: null }
    }
  }

  /** Group and user of what the broker itself gave. */
  async #given(): Promise<ReadonlySet<string>> {
    const open = await this.#deps.books.open()
    return new Set(open.filter(isOurs).map(({ membership: { what, userId } }) => `${what} ${userId}`))
  }

  async #write(name: string, id: string, actor: string): Promise<void> {
    const fields = { group: name, id, was: this.#pins.get(name) ?? null }
    await this.#deps.audit.append({ type: pinned, actor, fields })
    this.#pins.set(name, id)
  }

  #pin({ fields: { group, id } }: Pick<AuditRecord, 'fields'>): void {
    if (typeof group === 'string' && typeof id === 'string') this.#pins.set(group, id)
  }

  async #findPeople(signal: AbortSignal): Promise<void> {
    const { clock, identity, links, logger, people } = this.#deps
    if (!this.#areAllKnown) await this.#noteAll(signal)
    for (const id of this.#unlinked) if (links.of(id)) this.#unlinked.delete(id)
    for (const id of [...this.#unlinked].slice(0, foundAtOnce)) {
      signal.throwIfAborted()
      const principal = await identity.principal(id)
      try {
        if (principal?.active && principal.kind === 'person') await people.find(principal)
        this.#unlinked.delete(id)
      } catch (error) {
        logger.warn({ err: error, principal: id }, 'a person could not be looked for in Identity Center; will retry')
        return
      }
    }
    if (this.#unlinked.size > 0) this.#nextAt = clock.now() + foundEveryMs
  }

  async #noteAll(signal: AbortSignal): Promise<void> {
    const { identity } = this.#deps
    let cursor: string | undefined
    do {
      signal.throwIfAborted()
      const page = await identity.principals({ limit: 1000, ...(cursor === undefined ? {} : { cursor }) })
      for (const { id, kind, active } of page.items) if (active && kind === 'person') this.#unlinked.add(id)
      cursor = page.next ?? undefined
    } while (cursor !== undefined)
    this.#areAllKnown = true
  }

  /** @param before who was in which, by id of the principal */
  async #tell(names: readonly string[], before: ReadonlyMap<string, readonly string[]>): Promise<void> {
    const { clock, identity, links, logger } = this.#deps
    const now = clock.now()
    const users = new Map<string, ReadonlySet<string>>()
    /** Of which nothing is known now, so that those who were in them stay. */
    const unclear = new Set<string>()
    for (const name of names) {
      const read = this.#read.get(name)
      if (read && now - read.at < lostMs) users.set(name, read.group.users)
      else if (!read && now - this.#since < lostMs) unclear.add(name)
    }
    const wanted = new Map<string, string[]>()
    for (const { principalId, userId } of links.all)
      if (userId !== null) {
        const groups = names.filter((name) => users.get(name)?.has(userId))
        if (groups.length > 0) wanted.set(principalId, groups)
      }
    for (const id of new Set([...before.keys(), ...wanted.keys()])) {
      const had = before.get(id) ?? []
      const groups = [...new Set([...(wanted.get(id) ?? []), ...had.filter((name) => unclear.has(name))])].sort()
      if (groups.join('\n') === [...had].sort().join('\n')) continue
      await identity.setCenterGroups(id, groups).catch((error: unknown) => {
        this.#nextAt = now + foundEveryMs
        logger.error({ err: error, principal: id }, 'the groups of a person could not be stored; will retry')
      })
    }
  }
}
