import { BrokerError } from '../../proxy/session.ts'
import type { AuditLog } from '../audit/audit.ts'
import type { Held, Kinds, Surroundings } from '../catalog/kind.ts'
import type { CatalogEntry } from '../catalog/resource.ts'
import type { RuleView } from '../contract/policy.ts'
import type { Leadership } from '../daemons/leadership.ts'
import type { IdentityService } from '../identity/identity.ts'
import type { Login } from '../identity/principal.ts'
import type { Change, Changes } from '../store/changes.ts'
import type { Keyring } from '../store/keyring.ts'
import type { Db } from '../store/store.ts'
import { createBackground } from '../telemetry/background.ts'
import type { Clock } from '../telemetry/clock.ts'
import type { Logger } from '../telemetry/logger.ts'
import type { Metrics } from '../telemetry/metrics.ts'
import type { Access } from './access.ts'
import { applyElsewhere } from './apply.ts'
import { approvesWhat } from './approves.ts'
import { audienceOfGrant, audienceOfRequest } from './audience.ts'
import { type Core, mayKnowOf, type PushedGrants, principalReader, refusal } from './core.ts'
import { checkAccess } from './grants/check-access.ts'
import { endGrant, mayEndGrant, mayWatchGrant, readVisible } from './grants/end-grant.ts'
import { GrantKeeper } from './grants/grant-keeper.ts'
import { createRecheckOf, recheck, recheckResources, refresh } from './grants/recheck.ts'
import { levelOptions } from './level-options.ts'
import { planReload } from './plan-reload.ts'
import { recover } from './recover.ts'
import { likeGrants, requestContext, smallerLevel } from './request-context.ts'
import { countBox, viewRequest, viewRequests } from './request-views.ts'
import { type AccessOutcome, askForAccess, askForExtension } from './requests/ask-for-access.ts'
import { cancelRequest, type Decided, decideRequest } from './requests/decide-request.ts'
import { auditRefusal } from './requests/refused-requests.ts'
import type { AccessRequest } from './requests/request.ts'
import { RequestKeeper } from './requests/request-keeper.ts'
import { createAccessStore } from './rows/access-store.ts'
import { refuseReplaced } from './rules/decide.ts'
import { type Frozen, isPersonal, meansFor } from './rules/personal.ts'
import { formatSelector, groupsNamed, isGiven, type LevelMeaning, levelsOf, type Rule } from './rules/rule.ts'
import { RulesInForce } from './rules/rules-in-force.ts'
import { why } from './rules/why.ts'
import { viewGrant, viewGrants, viewResources } from './views.ts'

export interface AccessDeps {
  readonly db: Db
  readonly keyring: Pick<Keyring, 'mac' | 'checkMac'>
  readonly audit: Pick<AuditLog, 'append' | 'appendRemoval' | 'spooled' | 'search'>
  readonly clock: Clock
  readonly logger: Logger
  readonly metrics: Metrics
  readonly changes: Changes
  readonly identity: Pick<IdentityService, 'principal' | 'findPrincipal' | 'loginName' | 'tagClaims'>
  readonly kinds: Kinds
  readonly config: Surroundings
  readonly leader: Pick<Leadership, 'isLeader' | 'claim'>
  /** By which all ends. */
  readonly steadyClock: Clock
  /** @throws BrokerError while the clocks here are not those of other daemons on the store */
  requireClock(): void
  /** Left out: AWS itself holds none. */
  readonly pushed?: PushedGrants
}

const nonePushed: PushedGrants = { refuse: async () => null, stateOf: async () => null }

/**
 * Builds access and recovers what was active when the last daemon stopped. No rule applies, and nothing is allowed, before
 * the first `reload`. The caller closes it.
 */
export async function createAccess(deps: AccessDeps): Promise<Access> {
  const background = createBackground(deps.logger)
  const store = createAccessStore(deps.db, deps.keyring)
  const shared = { pushed: nonePushed, ...deps, clock: deps.steadyClock, wallClock: deps.clock, store, background }
  const core: Core = {
    ...shared,
    inForce: new RulesInForce(shared),
    grants: new GrantKeeper(shared),
    requests: new RequestKeeper(shared),
  }
  await recover(core, deps.audit)
  const recheckOf = createRecheckOf(core)
  const unsubscribe = deps.changes.subscribe((change) => {
    const concerned = concernedBy(change)
    if (concerned !== null) background.run('re-check of grants', () => recheckOf(concerned))
  })
  return {
    ...services(core, deps.changes),
    apply: (record) => applyElsewhere(core, background, record),
    idle: () => background.idle(),
    close: () => {
      unsubscribe()
      core.grants.close()
    },
  }
}

/** The principal whose grants and requests must be judged again. A reload of the rules re-checks by itself. */
function concernedBy(change: Change): string | null {
  return change.what === 'directory' || change.what === 'principal' ? change.id : null
}

function services(core: Core, changes: Changes): Omit<Access, 'apply' | 'idle' | 'close'> {
  const shown = async (login: Login, done: AccessOutcome | Decided) => {
    const { request, grant } = done
    return {
      request: await shownRequest(core, login, request),
      grant: grant && (await viewGrant(core, { grant, problem: null })),
    }
  }
  return {
    check: (ask) => checkAccess(core, ask),
    grant: async (id) => {
      const reading = await core.grants.read(id)
      return reading && !reading.problem ? reading.grant : undefined
    },
    live: (kinds) => core.grants.live.filter((grant) => kinds.includes(grant.kind) && core.grants.isLive(grant)),
    resource: (id) => core.inForce.catalog.get(id),
    held: (id, level, loginName) =>
      heldNow(core, id, level, { ...noneFrozen, ...(loginName === undefined ? {} : { loginName }) }),
    heldBy: (of) => heldBy(core, of),
    levelsOf: (resource, loginName) => meaningsNow(core, resource, loginName),
    groupsNamed: () => groupsNamed(core.inForce.rules),
    isGiven: (resource) => isGiven(core.inForce.rules, resource),
    resourcesKnown: () => core.inForce.catalog.all,
    sweep: () => sweep(core),
    reload: async (config) => {
      const reloaded = await core.inForce.load(config)
      if (!reloaded.ok) return reloaded
      sayLeaving(core, reloaded.leaving)
      changes.publish({ what: 'rules' })
      // The rules apply even if this fails; the sweep re-checks.
      await recheck(core).catch((error: unknown) => core.logger.error({ err: error }, 're-check after a reload failed'))
      return reloaded
    },
    plan: (config) => planReload(core, config),
    noteInventory: (ids, seq) => core.inForce.noteInventory(ids, seq),
    useInventory: async (found, gone, seq, why) => {
      const concerned = core.inForce.useInventory(found, gone, seq, why)
      if (core.inForce.loadedAt === null || (concerned !== 'all' && concerned.size === 0)) return
      changes.publish({ what: 'rules' })
      const judged = concerned === 'all' ? recheck(core) : recheckResources(core, concerned)
      await judged.catch((error: unknown) =>
        core.logger.error({ err: error }, 're-check after a change of the inventory failed'),
      )
    },
    mayEnd: (login) => {
      const read = principalReader(core)
      return async (grantId) => {
        const reading = await core.grants.read(grantId)
        return reading !== undefined && (await mayEndGrant(core, login, reading.grant, read))
      }
    },
    audienceOf: (what, id) => (what === 'request' ? audienceOfRequest : audienceOfGrant)(core, id),
    mayWatch: async (login, grantId) => {
      const reading = await core.grants.read(grantId)
      return reading !== undefined && (await mayWatchGrant(core, login, reading.grant))
    },
    findResource: (login, reference) =>
      core.inForce.catalog.find(reference, (resource) => mayKnowOf(core, login, resource)),
    resources: (login, query) => viewResources(core, login, query),
    options: (login, reference) => levelOptions(core, login, reference),
    request: async (login, ask) =>
      await shown(login, await auditRefusal(core, login, ask, () => askForAccess(core, login, ask))),
    requests: (login, query) => viewRequests(core, login, query),
    requestById: async (login, id) => {
      const request = await core.requests.exclusively(id, async () => await refresh(core, await core.requests.read(id)))
      return await shownRequest(core, login, request)
    },
    approves: (login) => approvesWhat(core.inForce.rules, login.principal),
    waiting: (login, box, most) => countBox(core, login, box, most),
    contextOf: (request) => requestContext(core, request),
    likeGrants: (request, most) => likeGrants(core, request, most),
    smallerLevel: (request) => smallerLevel(core, request),
    decide: async (login, id, ask) => await shown(login, await decideRequest(core, login, id, ask)),
    cancel: async (login, id) => await shownRequest(core, login, await cancelRequest(core, login, id)),
    grants: (login, query) => viewGrants(core, login, query),
    grantById: async (login, id) => await viewGrant(core, await readVisible(core, login, id)),
    revoke: async (login, id, reason) => await shownGrant(core, await endGrant(core, login, id, reason)),
    giveBack: async (login, id) => {
      const reading = await core.grants.read(id)
      if (reading?.grant.principalId !== login.principal.id)
        throw new BrokerError('NOT_FOUND', `you have no grant ${id}`)
      return await shownGrant(core, await endGrant(core, login, id, ''))
    },
    extend: async (login, id, more) =>
      await shown(login, await auditRefusal(core, login, { grant: id }, () => askForExtension(core, login, id, more))),
    why: (login, ask) => why(core, login, ask),
    rules: () => ({
      digest: core.inForce.rules.digest,
      loadedAt: core.inForce.loadedAt,
      rules: core.inForce.rules.rules.map(viewRule),
    }),
  }
}

async function shownRequest(core: Core, login: Login, request: AccessRequest) {
  const view = await viewRequest(core, login, request)
  if (!view) throw new BrokerError('NOT_FOUND', `no request ${request.id}`)
  return view
}

function shownGrant(core: Core, grant: Parameters<typeof viewGrant>[1]['grant']) {
  return viewGrant(core, { grant, problem: null })
}

function meaningsNow(core: Core, resource: CatalogEntry, loginName?: string): ReadonlyMap<string, unknown> {
  const { kind } = resource
  const known = [...levelsOf(core.inForce.rules, resource)].filter(([, { parsed }]) => parsed.has(kind))
  if (loginName === undefined) return new Map(known.map(([name, { parsed }]) => [name, parsed.get(kind)]))
  const personal = known.filter(([, meaning]) => isPersonal(core, resource, meaning))
  return new Map(
    personal.map(([name, meaning]) => [name, levelFor(core, resource, meaning, { ...noneFrozen, loginName })]),
  )
}

/** @throws BrokerError LOGIN_NAME_UNUSABLE, SESSION_TAG_UNUSABLE */
function levelFor(core: Core, resource: CatalogEntry, meaning: LevelMeaning, frozen: Frozen): unknown {
  const meant = meansFor(core, resource, meaning, frozen)
  if (!meant.allowed) throw refusal(meant)
  return meant.level
}

const noneFrozen: Frozen = { loginName: null, sessionTags: null }

function heldNow(core: Core, id: string, level: string, frozen = noneFrozen): Held | undefined {
  const resource = core.inForce.catalog.get(id)
  const meaning = resource && levelsOf(core.inForce.rules, resource).get(level)
  if (!resource || !meaning?.parsed.has(resource.kind)) return undefined
  return { resource, target: resource.target, level: levelFor(core, resource, meaning, frozen) }
}

/** A preflight has no grant. */
async function heldBy(
  core: Core,
  of: { grantId: string; resourceId: string; level: string },
): Promise<Held | undefined> {
  const reading = await core.grants.read(of.grantId)
  const resource = core.inForce.catalog.get(of.resourceId)
  const isOther = !resource || reading?.problem || (reading && refuseReplaced(resource, reading.grant))
  return isOther ? undefined : heldNow(core, of.resourceId, of.level, reading?.grant)
}

/** Before it ends: such as of a part of AWS that is switched off. */
function sayLeaving({ grants, logger }: Core, leaving: readonly string[]): void {
  if (leaving.length === 0) return
  const ids = new Set(leaving)
  const ending = grants.live.flatMap(({ id, resourceId }) => (ids.has(resourceId) ? [id] : []))
  const shown = { resources: leaving.length, first: leaving.slice(0, 10), grants: ending }
  logger.warn(shown, 'resources leave the catalog with this configuration; grants on them end now')
}

/** Each part on its own: one that fails must not stop the others. */
async function sweep(core: Core): Promise<void> {
  const steps = [
    () => core.grants.expire(),
    () => core.grants.retry(),
    () => core.requests.retry(),
    () => core.grants.reconcile(),
    () => recheck(core),
  ]
  for (const step of steps) {
    await step().catch((error: unknown) => core.logger.error({ err: error }, 'part of the access sweep failed'))
  }
}

function viewRule(rule: Rule): RuleView {
  return {
    name: rule.name,
    who: rule.who,
    what: rule.what,
    selects: formatSelector(rule.what),
    levels: rule.levels,
    maxDurationMs: rule.maxDurationMs,
    require: { ...rule.require, ticket: rule.require.ticket?.source ?? null },
    stages: rule.stages,
    digest: rule.digest,
  }
}
