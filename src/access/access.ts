import type { AuditRecord } from '../audit/audit.ts'
import type { Held } from '../catalog/kind.ts'
import type { CatalogEntry, Resource } from '../catalog/resource.ts'
import type { Config } from '../config/config.ts'
import type { GrantView } from '../contract/grants.ts'
import type { RulesInForce, WhyAnswer } from '../contract/policy.ts'
import type { Outcome, RequestContext, RequestView } from '../contract/requests.ts'
import type { ResourceView } from '../contract/resources.ts'
import type { Login, Principal } from '../identity/principal.ts'
import type { TokenRule } from '../identity/tokens/token-grants.ts'
import type { ListPage } from '../store/lists.ts'
import type { Audience } from './audience.ts'
import type { Grant } from './grants/grant.ts'
import type { ResourceOptions } from './level-options.ts'
import type { ReloadPlan } from './plan-reload.ts'
import type { AccessAsk } from './requests/ask-for-access.ts'
import type { DecisionAsk } from './requests/decide-request.ts'
import type { AccessQuery } from './rows/access-store.ts'
import type { Reloaded } from './rules/rules-in-force.ts'
import type { ResourceQuery } from './views.ts'

/** Answer to: may this principal open a session now? `reason` may be shown to the person who asked. */
export type AccessAnswer =
  | {
      readonly allowed: true
      readonly grant: Grant
      readonly held: Held
      /** What its rule demands now of the credentials that use it. */
      readonly rule: TokenRule
    }
  | {
      readonly allowed: false
      readonly code:
        | 'GRANT_DENIED'
        | 'GRANT_EXPIRED'
        | 'GRANT_TAMPERED'
        | 'RESOURCE_UNKNOWN'
        | 'RESOURCE_AMBIGUOUS'
        | 'PRINCIPAL_LOCKED'
        | 'PRINCIPAL_INACTIVE'
      readonly reason: string
      readonly hint?: string
    }

/** The interface of access for the other parts. Built by `createAccess` (create-access.ts). */
export interface AccessService {
  /**
   * Reads principal, grant and rules again, and answers.
   * @param reference full id or unique last part of a resource; unknown and not-visible answer alike
   * @param ask.level omitted: the one level held
   * @param ask.grantId a connect token is bound to one grant; no other counts
   */
  check(ask: {
    principalId: string
    resource: string
    level?: string
    grantId?: string
    /** For a caller that reads the principal in the same moment anyway. */
    read?: (id: string) => Promise<Principal | undefined>
  }): Promise<AccessAnswer>
  /** One grant with a valid HMAC, or undefined. Never cached. */
  grant(id: string): Promise<Grant | undefined>
  /** Live grants of these kinds, as this daemon knows them: {@link check} reads one again. */
  live(kinds: readonly string[]): readonly (Grant & { readonly targetId: string | null })[]
  resource(id: string): CatalogEntry | undefined
  /**
   * What a level means on a resource now; undefined: the rules know one of them no longer.
   * @param loginName for a level that holds `{login}`
   * @throws BrokerError LOGIN_NAME_UNUSABLE
   */
  held(resourceId: string, level: string, loginName?: string): Held | undefined
  /** The same for what a grant was given for, also when it is over; undefined as well when the resource is another one now. */
  heldBy(of: { grantId: string; resourceId: string; level: string }): Promise<Held | undefined>
  /**
   * What the levels of a resource mean to its kind now, by name.
   * @param loginName given: those that hold `{login}` alone, for this one
   * @throws BrokerError LOGIN_NAME_UNUSABLE
   */
  levelsOf(resource: CatalogEntry, loginName?: string): ReadonlyMap<string, unknown>
  /** Groups that rules name, of who may ask and of who decides; sorted. */
  groupsNamed(): readonly string[]
  /** Whether some rule gives access to a resource at all. */
  isGiven(resource: CatalogEntry): boolean
  /** All of them, without a check of who may see them. */
  resourcesKnown(): readonly CatalogEntry[]
  /**
   * Ends what has expired, takes over what other daemons wrote, and re-checks live grants against rules and directory. Called by the
   * daemon's timer.
   */
  sweep(): Promise<void>
}

/** What the API and the composition root need in addition. Each method throws a BrokerError that says what is wrong. */
export interface Access extends AccessService {
  /**
   * Applies the rules of a configuration: at start and at SIGHUP. Invalid ones are rejected and the old ones stay.
   * Resolves when every live grant and pending request has been judged by the new ones.
   * @throws BrokerError AUDIT_UNAVAILABLE, STORE_UNAVAILABLE; the old rules stay
   */
  reload(config: Config): Promise<Reloaded>
  /** What a reload of a configuration would end, without doing it. @throws BrokerError STORE_UNAVAILABLE */
  plan(config: Config): Promise<ReloadPlan>
  /** Some daemon has found changes: until {@link useInventory} nothing ends here for want of them. @param seq of the event */
  noteInventory(ids: readonly string[], seq: number): void
  /**
   * Brings what is discovered into the catalog, and judges the live grants and pending requests again that it concerns.
   * @param seq of the last event of the log that is in it @param why some are gone, in words, by id
   */
  useInventory(
    found: readonly Resource[],
    gone: readonly string[],
    seq: number,
    why?: ReadonlyMap<string, string>,
  ): Promise<void>
  /** For one pass: whether this person may end a grant, or its sessions: its holder, the approvers of its rule, admins. */
  mayEnd(login: Login): (grantId: string) => Promise<boolean>
  /** For whom a request, or a grant and the sessions under it, are listed now; for one that is not there, admins and auditors. */
  audienceOf(what: 'request' | 'grant', id: string): Promise<Audience>
  /** Whether this person may watch sessions of a grant while they run: auditors, and the approvers of its rule. */
  mayWatch(login: Login, grantId: string): Promise<boolean>

  /** Some resource that this person may know of, by id or last part. @throws BrokerError RESOURCE_UNKNOWN, RESOURCE_AMBIGUOUS */
  findResource(login: Login, reference: string): CatalogEntry
  resources(login: Login, query: ResourceQuery): Promise<ListPage<ResourceView>>
  /** One that this person may know of, with what a request for each of its levels needs. @throws BrokerError RESOURCE_UNKNOWN, RESOURCE_AMBIGUOUS */
  options(login: Login, reference: string): Promise<ResourceOptions>
  request(login: Login, ask: AccessAsk): Promise<Outcome>
  requests(login: Login, query: AccessQuery): Promise<ListPage<RequestView>>
  /** Whether some rule names this person as an approver: by e-mail or group, or as the manager. */
  approves(login: Login): { readonly byName: boolean; readonly asManager: boolean }
  /** How many requests wait in a box of this person. @param most no more are counted */
  waiting(login: Login, box: 'decide' | 'mine', most: number): Promise<number>
  requestById(login: Login, id: string): Promise<RequestView>
  /** What to decide a request with, which the caller was shown; without its sessions. */
  contextOf(request: RequestView): Promise<Omit<RequestContext, 'openSessions'>>
  /** The latest grants of the same person for the same level on the same resource, newest first. They are not judged. */
  likeGrants(request: RequestView, most: number): Promise<readonly Grant[]>
  /** A level of the resource that only reads, which the rules give the beneficiary too; null: none, or the request is for one. */
  smallerLevel(request: RequestView): Promise<string | null>
  decide(login: Login, id: string, ask: DecisionAsk): Promise<Outcome>
  cancel(login: Login, id: string): Promise<RequestView>
  grants(login: Login, query: AccessQuery): Promise<ListPage<GrantView>>
  /** One that is in the list of grants of this person. @throws BrokerError NOT_FOUND */
  grantById(login: Login, id: string): Promise<GrantView>
  /** Revokes a grant, or returns one's own. */
  revoke(login: Login, id: string, why: string): Promise<GrantView>
  giveBack(login: Login, id: string): Promise<GrantView>
  extend(login: Login, id: string, more: { durationMs: number; reason?: string; ticket?: string }): Promise<Outcome>
  why(login: Login, ask: { principal?: string; resource: string; level?: string }): Promise<WhyAnswer>
  /** The rules in force, in order, and their digest. */
  rules(): RulesInForce

  /** What another daemon of the store did, by its event. */
  apply(record: AuditRecord): void
  /** Resolves when nothing runs in the background: after changes of directory, and expiries. */
  idle(): Promise<void>
  close(): void
}
