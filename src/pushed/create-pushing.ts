import { BrokerError } from '../../proxy/session.ts'
import type { AuditLog, AuditRecord } from '../audit/audit.ts'
import type { CatalogEntry } from '../catalog/resource.ts'
import type { PushView, UnrecordedView } from '../contract/identity-center/pushes.ts'
import type { Leadership } from '../daemons/leadership.ts'
import type { Identity } from '../identity/create-identity.ts'
import type { Principal } from '../identity/principal.ts'
import type { Changes } from '../store/changes.ts'
import type { ListPage } from '../store/lists.ts'
import type { Macs, RowProblem } from '../store/signed-rows.ts'
import type { Db } from '../store/store.ts'
import type { Clock } from '../telemetry/clock.ts'
import type { Logger } from '../telemetry/logger.ts'
import type { Metrics } from '../telemetry/metrics.ts'
import { CenterGroups, type CenterReads } from './center-groups.ts'
import { HeldBack } from './held-back.ts'
import { Links } from './links.ts'
import { idOf, keyOf, type Membership } from './membership.ts'
import { type Match, People, type PeopleDeps, type Refusal } from './people.ts'
import { isOurs, newPush, type Push, pushStates, type Want } from './push.ts'
import { StoredPushes } from './push-books.ts'
import type { Pusher } from './pusher.ts'
import type { Wants } from './reconcile-ports.ts'
import { Reconciler } from './reconciler.ts'
import { findUnrecorded, type UnrecordedQuery } from './unrecorded.ts'
import { type LiveGrant, membershipOf, wantsOf } from './wants.ts'

export interface PushingDeps {
  readonly access: {
    /** Live grants of these kinds. */
    live(kinds: readonly string[]): readonly LiveGrant[]
    resource(id: string): CatalogEntry | undefined
    resourcesKnown(): readonly CatalogEntry[]
    groupsNamed(): readonly string[]
    isGiven(entry: CatalogEntry): boolean
    check(ask: { principalId: string; resource: string; grantId: string }): Promise<{ readonly allowed: boolean }>
  }
  readonly audit: AuditLog
  readonly changes: Pick<Changes, 'subscribe' | 'count'>
  readonly clock: Clock
  readonly db: Db
  readonly directory: PeopleDeps['directory']
  /** Null: Identity Center is not read. */
  readonly center: () => CenterReads | null
  readonly identity: Pick<Identity, 'principal' | 'principals' | 'inCenterGroups' | 'setCenterGroups'>
  readonly keyring: Macs
  readonly leader: Leadership
  readonly logger: Logger
  readonly metrics: Pick<Metrics, 'pushes' | 'pushOverdueSeconds'>
  readonly pusherOf: (kind: string) => Pusher | undefined
  /** As they are set now. */
  readonly settings: () => { readonly match: Match; readonly mostRemovals: number }
  /** Names of the kinds that are written to AWS. */
  readonly kinds: () => readonly string[]
}

/** How it stands in AWS with one grant. */
export interface GrantPush {
  readonly state: 'granting' | 'granted' | 'failed' | 'removing'
  readonly reason: string | null
  /** Where its holder uses it. */
  readonly portal: string | null
  /** Where Identity Center has its home. */
  readonly region: string
}

/** Where Identity Center is set no more, but something of it is still to be removed. */
export const pushDefaults = { match: 'email', mostRemovals: 50 } as const

const fullPassMs = 30_000
const timeoutMs = 30_000

/** Grants that AWS itself holds: written to it while they live, and removed after. */
export class Pushing {
  readonly #deps: PushingDeps
  readonly #books: StoredPushes
  readonly #links: Links
  readonly #people: People
  /** Groups that rules name as `idc:NAME`. */
  readonly groups: CenterGroups
  readonly #reconciler: Reconciler
  readonly #heldBackList: HeldBack
  #isWoken = true
  #nextAt = 0
  #fullAt = 0
  #heldBack = 0
  /** People with live grants who may use nothing at the moment: they are locked, or not active. */
  #barred: ReadonlySet<string> = new Set()
  #barredAt = 0
  #known: { readonly of: string; readonly wants: Wants } | undefined

  constructor(deps: PushingDeps) {
    this.#deps = deps
    const { clock, leader } = deps
    this.#books = new StoredPushes(deps)
    this.#links = new Links(deps)
    this.#people = new People({ ...deps, links: this.#links, match: () => deps.settings().match })
    this.groups = new CenterGroups({
      ...{ ...deps, books: this.#books, links: this.#links, people: this.#people },
      access: { groupsNamed: () => deps.access.groupsNamed(), isGiven: (id) => this.#isGiven(id) },
    })
    const mostRemovals = () => deps.settings().mostRemovals
    const wants = () => this.#wants()
    this.#heldBackList = new HeldBack({ books: this.#books, clock, wants, mostRemovals })
    this.#reconciler = new Reconciler({
      books: this.#books,
      wants: async () => wants(),
      isAllowed: (want) => this.#isAllowed(want),
      isWanted: async (membership) => this.#isWanted(membership),
      pusherOf: (kind) => this.#pusher(kind),
      isForeign: async () => false,
      checkLeader: () => leader.check(),
      now: () => clock.now(),
      mostRemovals,
    })
    deps.changes.subscribe(({ what }) => {
      if (what === 'session' || what === 'login' || what === 'token') return
      if (what === 'principal' || what === 'directory') this.#barredAt = 0
      this.#isWoken = true
    })
  }

  /** At start, before the first pass. */
  async load(): Promise<void> {
    await this.#books.load(this.#deps.clock.now())
    await this.#links.load()
    await this.groups.load()
  }

  /** An event of the log, of this daemon or another one. */
  async note(record: AuditRecord): Promise<void> {
    this.#books.note(record)
    await this.#links.note(record)
    this.groups.note(record)
    const isCommand = record.type === 'push.adopted' || record.type === 'push.released'
    if (isCommand || record.type.startsWith('identity-center.')) this.#isWoken = true
  }

  /** By the daemon that leads, every second: does something when there is something to do. */
  async run(signal: AbortSignal): Promise<void> {
    const now = this.#deps.clock.now()
    const isClockBack = this.#fullAt > now
    if (!this.#isWoken && this.#nextAt > now && this.#fullAt + fullPassMs > now && !isClockBack) return
    this.#isWoken = false
    if (this.#barredAt + fullPassMs <= now || isClockBack) await this.#readBarred(now)
    this.#fullAt = now
    const pass = await this.#reconciler.pass(signal).catch(unlessAborted(signal))
    if (!pass) return
    const { heldBack, nextAt, open, errors } = pass
    this.#nextAt = nextAt ?? Number.POSITIVE_INFINITY
    for (const error of errors)
      this.#deps.logger.warn({ err: error }, 'a grant could not be brought to AWS; will retry')
    await this.#sayHeldBack(heldBack)
    this.#measure(open)
  }

  /** Null: AWS does not hold what this kind gives, or knows the person. @throws BrokerError AWS_DENIED, AWS_UNAVAILABLE */
  async refuse(principal: Principal, entry: CatalogEntry, level: unknown): Promise<Refusal | null> {
    if (!this.#deps.kinds().includes(entry.kind)) return null
    const refused = this.#pusher(entry.kind).refuses({ resource: entry, target: entry.target, level })
    if (refused) return refused
    const found = await this.#people.find(principal)
    if (!('userId' in found)) return found
    return (await this.#pusher(entry.kind).refusesNow?.(entry, AbortSignal.timeout(timeoutMs))) ?? null
  }

  /** Null: AWS does not hold it, or holds nothing of it any more. @param isLive whether the grant is */
  async stateOf(grant: LiveGrant, isLive: boolean): Promise<GrantPush | null> {
    const { access, kinds, pusherOf } = this.#deps
    const pusher = kinds().includes(grant.kind) ? pusherOf(grant.kind) : undefined
    if (!pusher) return null
    const { region } = pusher
    const failed = (reason: string) => (isLive ? ({ state: 'failed', reason, portal: null, region } as const) : null)
    const user = this.#links.userOf(grant.principalId)
    if (user === null || 'unclear' in user) return failed('it is not known which user of Identity Center the person is')
    const membership = membershipOf({ resource: access.resource, pusherOf }, grant, user.id)
    if ('problem' in membership) return failed(membership.problem)
    const push = await this.#books.find(keyOf(membership))
    const { state = 'gone', reason = null } = push ?? {}
    if (!isLive)
      return push && isOurs(push) && !this.#isWanted(membership)
        ? { state: 'removing', reason, portal: null, region }
        : null
    const entry = access.resource(grant.resourceId)
    const portal = entry ? pusher.portal(entry.target) : null
    const isBegun = state === 'granted' || state === 'failed'
    return { state: isBegun ? state : 'granting', reason: state === 'outside' ? null : reason, portal, region }
  }

  /** What is, or may be, in AWS. */
  async list(): Promise<readonly PushView[]> {
    return this.#views(await this.#books.open())
  }

  /** What waits for an admin. @returns digest of the list; null: nothing waits */
  async heldBack(): Promise<{
    readonly pushes: readonly PushView[]
    readonly digest: string | null
    readonly most: number
  }> {
    const { pushes, ...rest } = await this.#heldBackList.list()
    return { pushes: this.#views(pushes), ...rest }
  }

  /** Lets that go. @returns how many @throws BrokerError STALE the list is another one by now; AUDIT_UNAVAILABLE */
  async release(digest: string, actor: string): Promise<number> {
    const count = await this.#heldBackList.release(digest, actor)
    this.#isWoken = true
    return count
  }

  /** What AWS holds directly without a record of it. @param only this one @throws BrokerError AWS_DENIED, AWS_UNAVAILABLE, NOT_FOUND */
  async unrecorded(query: UnrecordedQuery, only?: CatalogEntry): Promise<ListPage<UnrecordedView>> {
    const { access, directory, kinds } = this.#deps
    if (only) this.#pusher(only.kind)
    const entries = only ? [only] : access.resourcesKnown().filter(({ kind }) => kinds().includes(kind))
    const pusherOf = (kind: string) => this.#pusher(kind)
    const deps = { books: this.#books, links: this.#links, directory, pusherOf, wants: () => this.#wants() }
    return await findUnrecorded(deps, entries, query)
  }

  get links(): Links {
    return this.#links
  }

  get people(): People {
    return this.#people
  }

  /**
   * Takes over a membership: from then on it goes with the last grant that wants it, or at once when there is none.
   * @throws BrokerError NOT_FOUND, STALE it is ours already
   */
  async adopt(id: string, actor: string): Promise<PushView> {
    const push = (await this.#books.open()).find(({ membership }) => idOf(membership) === id)
    if (!push) throw new BrokerError('NOT_FOUND', `there is no ${id} that AWS holds`)
    return await this.#adopt(push, actor)
  }

  /**
   * The same for one that is in AWS and was never seen here. @param whose a person, or the id of a user
   * @throws BrokerError NOT_FOUND it is not there
   */
  async adoptFor(entry: CatalogEntry, whose: Principal | string, actor: string): Promise<PushView> {
    const found = typeof whose === 'string' ? { userId: whose } : await this.#people.find(whose)
    if (!('userId' in found)) throw new BrokerError('NOT_FOUND', found.reason, { hint: found.hint })
    const pusher = this.#pusher(entry.kind)
    const membership = pusher.membership({ resource: entry, target: entry.target }, found.userId)
    const seen = await pusher.observe(membership, AbortSignal.timeout(timeoutMs))
    if (!seen.isThere) throw new BrokerError('NOT_FOUND', `AWS holds nothing of ${entry.id} for that user`)
    const known = await this.#books.find(keyOf(membership))
    const externalId = seen.externalId ?? null
    const push = known ?? newPush(membership, this.#deps.clock.now())
    return await this.#adopt({ ...push, externalId }, actor)
  }

  /** For `audit verify`. */
  async *checkRows(): AsyncGenerator<RowProblem> {
    yield* this.#books.checkRows()
    yield* this.#links.checkRows()
  }

  async #adopt(push: Push, actor: string): Promise<PushView> {
    if (isOurs(push)) throw new BrokerError('STALE', `${idOf(push.membership)} is the broker's already`)
    const state = this.#isWanted(push.membership) ? 'granted' : 'removing'
    const adopted: Push = { ...push, state, ownership: 'adopted', checkAt: 0, version: push.version + 1 }
    await this.#books.adopt(adopted, actor)
    this.#isWoken = true
    return this.#view(adopted)
  }

  #views(pushes: readonly Push[]): PushView[] {
    return pushes.map((push) => this.#view(push)).sort((a, b) => (a.id < b.id ? -1 : 1))
  }

  #view(push: Push): PushView {
    const { membership, state, ownership, reason, isLasting, overdueSince } = push
    const { kind, account, what, userId } = membership
    const people = this.#links.all.filter((link) => link.userId === userId)
    return {
      ...{ id: idOf(membership), kind, account, of: what, userId },
      userName: people[0]?.userName ?? null,
      principals: people.map(({ principalId }) => principalId),
      ...{ state, ownership, reason, isLasting, overdueSince: isOurs(push) ? overdueSince : null },
      grants: [...(this.#wants().byKey.get(keyOf(membership))?.grants ?? [])],
    }
  }

  /** As of this moment: it is made anew when anything has changed, and once a second. */
  #wants(): Wants {
    const { changes, clock } = this.#deps
    const of = `${changes.count} ${this.#links.generation} ${this.#barredAt} ${Math.floor(clock.now() / 1000)}`
    if (this.#known?.of !== of) this.#known = { of, wants: this.#findWants() }
    return this.#known.wants
  }

  #findWants(): Wants {
    const { access, kinds, pusherOf } = this.#deps
    return wantsOf({
      grants: () => access.live(kinds()).filter(({ principalId }) => !this.#barred.has(principalId)),
      resource: (id) => access.resource(id),
      pusherOf,
      userOf: (id) => this.#links.userOf(id),
    })
  }

  /** Whether a live grant wants it, or it is not known what one of that user wants. */
  #isWanted(membership: Membership): boolean {
    const { byKey, unclear } = this.#wants()
    return byKey.has(keyOf(membership)) || unclear.has(membership.userId)
  }

  /** Whether rules give membership in a group. */
  #isGiven(groupId: string): boolean {
    const { access } = this.#deps
    const entry = access.resource(`identity-center-group/${groupId}`)
    return entry !== undefined && access.isGiven(entry)
  }

  /** Grant, rules and person are read again. */
  async #isAllowed(want: Want): Promise<boolean> {
    const { access, kinds } = this.#deps
    const ids = new Set(want.grants)
    for (const { id, principalId, resourceId } of access.live(kinds()).filter((grant) => ids.has(grant.id)))
      if ((await access.check({ principalId, resource: resourceId, grantId: id })).allowed) return true
    return false
  }

  async #readBarred(now: number): Promise<void> {
    this.#barredAt = now // what changes meanwhile is read again
    const { access, identity, kinds } = this.#deps
    const barred = new Set<string>()
    for (const id of new Set(access.live(kinds()).map(({ principalId }) => principalId))) {
      const principal = await identity.principal(id)
      if (!principal?.active || principal.lockedAt !== null) barred.add(id)
    }
    this.#barred = barred
  }

  #pusher(kind: string): Pusher {
    const pusher = this.#deps.pusherOf(kind)
    if (!pusher) throw new BrokerError('NOT_FOUND', `the kind ${kind} is not written to AWS`)
    return pusher
  }

  /** Said once for each number of them. */
  async #sayHeldBack(count: number): Promise<void> {
    if (count === this.#heldBack) return
    this.#heldBack = count
    if (count === 0) return
    const most = this.#deps.settings().mostRemovals
    this.#deps.logger.error(
      { count, most },
      'held back: so many removals at once of what should still stand may be a mistake; look at them and let them go if they are meant: sallyport identity-center held-back',
    )
    const { audit, leader } = this.#deps
    const event = { type: 'push.held-back', actor: 'system', fields: { count, most } } as const
    await audit.append(event, { claims: [leader.claim()] })
  }

  #measure(pushes: readonly Push[]): void {
    const { clock, metrics } = this.#deps
    for (const state of pushStates)
      if (state !== 'gone') metrics.pushes.set({ state }, pushes.filter((push) => push.state === state).length)
    const since = pushes.flatMap((push) => (isOurs(push) && push.overdueSince !== null ? [push.overdueSince] : []))
    const overdueMs = since.length === 0 ? 0 : clock.now() - Math.min(...since)
    metrics.pushOverdueSeconds.set(Math.max(0, overdueMs) / 1000)
  }
}

/** A pass that is cut short by the end of the daemon goes on at the next start. */
function unlessAborted(signal: AbortSignal) {
  return (error: unknown): undefined => {
    if (!signal.aborted) throw error
  }
}
