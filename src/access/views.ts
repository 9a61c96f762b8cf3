import { kindNamed } from '../catalog/kind.ts'
import type { CatalogEntry } from '../catalog/resource.ts'
import type { RiskSeverity } from '../catalog/risk.ts'
import type { GrantView } from '../contract/grants.ts'
import type { Named } from '../contract/references.ts'
import type { RequestView } from '../contract/requests.ts'
import type { ResourceView } from '../contract/resources.ts'
import type { Login, Principal } from '../identity/principal.ts'
import { type ListPage, type ListQuery, listSource, readPage } from '../store/lists.ts'
import { type Core, isOverseer, principalReader, type ReadPrincipal } from './core.ts'
import { mayEndGrant } from './grants/end-grant.ts'
import type { GrantReading } from './grants/grant-keeper.ts'
import { concerns, type Standing, standingOf } from './requests/decide-request.ts'
import { type AccessRequest, refuseDecider } from './requests/request.ts'
import { reaches, riskReader } from './risk-views.ts'
import type { AccessQuery, Found } from './rows/access-store.ts'
import type { StoredGrant } from './rows/rows.ts'
import { levelsToAskFor } from './rules/decide.ts'
import { type Frozen, meansFor } from './rules/personal.ts'
import { levelsOf } from './rules/rule.ts'

/** Resources that some rule or live grant of theirs covers; admins and auditors see all. */
export async function viewResources(
  core: Core,
  login: Login,
  query: ListQuery & { readonly kind?: string; readonly risk?: RiskSeverity },
): Promise<ListPage<ResourceView>> {
  const { kind, resourceId, risk } = query
  const { catalog, rules } = core.inForce
  const { principal } = login
  const seesAll = isOverseer(login)
  const own = Map.groupBy(
    core.grants.live.filter((grant) => grant.principalId === principal.id),
    (grant) => grant.resourceId,
  )
  const risks = riskReader(core, seesAll)
  const isShown = (entry: CatalogEntry) =>
    (seesAll || own.has(entry.id) || levelsToAskFor(rules, principal, entry).length > 0) &&
    (risk === undefined || reaches(risks(entry), risk))
  const view = (entry: CatalogEntry) => ({
    ...viewResource(core, principal, entry, own.get(entry.id) ?? []),
    ...risks(entry),
  })
  if (resourceId !== undefined) {
    const found = catalog.get(resourceId)
    const shown = found && (kind === undefined || found.kind === kind) && isShown(found) ? [found] : []
    const page = await readPage(
      listSource(shown, ({ id }) => id),
      query,
    )
    return { ...page, items: page.items.map(view) }
  }
  return await readPage<CatalogEntry, ResourceView>(
    {
      read: async (cursor, limit) => catalog.behind(cursor, limit, kind),
      cursorOf: ({ id }) => id,
      choose: async (entry) => (isShown(entry) ? () => view(entry) : undefined),
      ...(seesAll && risk === undefined ? { count: async (most) => Math.min(catalog.count(kind), most) } : {}),
    },
    query,
  )
}

/** @param own live grants of this principal on it */
function viewResource(
  core: Core,
  principal: Principal,
  entry: CatalogEntry,
  own: readonly StoredGrant[],
): Omit<ResourceView, 'risk' | 'riskBeneath'> {
  const { id, account, region, name, tags, place, target } = entry
  const kind = kindNamed(core.kinds, entry.kind)
  const shown = kind?.shown?.(target) ?? {}
  const grants = own
    .filter((grant) => core.grants.isLive(grant))
    .map((grant) => ({
      id: grant.id,
      level: grant.level,
      endsAt: grant.endsAt,
      sessionMs: sessionMsOf(core, entry, grant),
    }))
  return {
    id,
    kind: entry.kind,
    account,
    region,
    name,
    tags,
    path: place?.path ?? null,
    protocol: kind?.protocol ?? null,
    shown,
    database: shown.database ?? null,
    levels: levelsToAskFor(core.inForce.rules, principal, entry),
    grants,
  }
}

/** One's own grants and those one may end, newest first; admins and auditors see all. */
export async function viewGrants(core: Core, login: Login, query: AccessQuery): Promise<ListPage<GrantView>> {
  const read = principalReader(core)
  const seesAll = isOverseer(login)
  return await readPage<Found<StoredGrant>, GrantView>(
    {
      read: (cursor, limit) => core.store.listGrants(query, cursor, limit),
      cursorOf: ({ value }) => value.id,
      choose: async (found) => {
        const reading = await core.grants.judge(found)
        if (!query.all && !core.grants.isLive(reading.grant)) return undefined
        if (!seesAll && !(await mayEndGrant(core, login, reading.grant, read))) return undefined
        return () => viewGrant(core, reading, read)
      },
      // What is live is known here before the store knows it.
      ...(seesAll && query.all ? { count: (most) => core.store.countGrants(query, most) } : {}),
    },
    query,
  )
}

export async function viewGrant(
  core: Core,
  { grant, problem }: GrantReading,
  read: ReadPrincipal = principalReader(core),
): Promise<GrantView> {
  const isOver = grant.state === 'active' && !core.grants.isLive(grant)
  return {
    id: grant.id,
    requestId: grant.requestId,
    principal: await named(grant.principalId, read),
    resourceId: grant.resourceId,
    kind: grant.kind,
    targetId: grant.targetId,
    level: grant.level,
    loginName: grant.loginName,
    sessionTags: grant.sessionTags,
    rule: grant.ruleName,
    startsAt: grant.startsAt,
    endsAt: grant.endsAt,
    state: problem ? 'tampered' : isOver ? 'expired' : grant.state,
    endedAt: grant.endedAt,
    endReason: grant.endReason,
    endText: grant.endText,
  }
}

/** Requests that concern this person, newest first; admins and auditors see all. */
export async function viewRequests(core: Core, login: Login, query: AccessQuery): Promise<ListPage<RequestView>> {
  const read = principalReader(core)
  const seesAll = isOverseer(login)
  return await readPage<Found<AccessRequest> & { hasDecided: boolean }, RequestView>(
    {
      read: (cursor, limit) => core.store.listRequests(query, login.principal.id, cursor, limit),
      cursorOf: ({ value }) => value.id,
      choose: async (found) => {
        const request = await core.requests.judge(found)
        if (!request || (!query.all && request.status !== 'pending')) return undefined
        const [requester, beneficiary] = [await read(request.requesterId), await read(request.beneficiaryId)]
        if (!requester || !beneficiary) return undefined
        const parties = { request, requester, beneficiary }
        if (!seesAll && !found.hasDecided && !concerns(parties, login.principal)) return undefined
        return async () => present(core, login, await standingOf(core, request, read), read)
      },
      ...(seesAll && query.all ? { count: (most) => core.store.countRequests(query, most) } : {}),
    },
    query,
  )
}

/** Undefined for a request that doesn't concern this person. */
export async function viewRequest(
  core: Core,
  login: Login,
  request: AccessRequest,
  read: ReadPrincipal = principalReader(core),
): Promise<RequestView | undefined> {
  if (!(await read(request.requesterId)) || !(await read(request.beneficiaryId))) return undefined
  const standing = await standingOf(core, request, read)
  const hasDecided = standing.decisions.some((decision) => decision.principalId === login.principal.id)
  if (!isOverseer(login) && !hasDecided && !concerns(standing, login.principal)) return undefined
  return await present(core, login, standing, read)
}

async function present(core: Core, login: Login, standing: Standing, read: ReadPrincipal): Promise<RequestView> {
  const { request, decisions, progress, requester, beneficiary } = standing
  const whyNot = refuseDecider(request, standing, login.principal, decisions, progress.current)
  const grant = request.status === 'granted' ? await core.store.grantOfRequest(request.id) : undefined
  const decided = decisions.map(async (decision) => ({
    by: await named(decision.principalId, read),
    stage: decision.stage,
    verdict: decision.verdict,
    comment: decision.comment,
    at: decision.decidedAt,
    counts: decision.requestDigest === request.digest,
  }))
  return {
    id: request.id,
    requester: toNamed(requester),
    beneficiary: toNamed(beneficiary),
    resourceId: request.resourceId,
    kind: request.kind,
    targetId: request.targetId,
    level: request.level,
    loginName: request.loginName,
    sessionTags: request.sessionTags,
    durationMs: request.durationMs,
    reason: request.reason,
    ticket: request.ticket,
    rule: request.ruleName,
    digest: request.digest,
    limits: limitsOf(core, request),
    status: request.status,
    statusReason: request.statusReason,
    extendsGrantId: request.extendsGrantId,
    createdAt: request.createdAt,
    expiresAt: request.expiresAt,
    endedAt: request.endedAt,
    stages: request.stages.map((stage, i) => ({ ...stage, approvals: progress.approvals[i] ?? 0 })),
    stage: request.status === 'pending' ? progress.current : null,
    decisions: await Promise.all(decided),
    canDecide: whyNot === null,
    whyNot,
    grantId: request.extendsGrantId ?? grant?.value.id ?? null,
  }
}

function limitsOf(core: Core, request: AccessRequest): readonly string[] {
  const entry = core.inForce.catalog.get(request.resourceId)
  const meant = entry && meaningOf(core, entry, request)
  if (!entry || !meant) return []
  return meant.allowed
    ? (kindNamed(core.kinds, entry.kind)?.limits?.(entry.target, meant.level, core.config) ?? [])
    : [meant.reason]
}

function sessionMsOf(core: Core, entry: CatalogEntry, grant: StoredGrant): number | null {
  const meant = meaningOf(core, entry, grant)
  return (meant?.allowed && kindNamed(core.kinds, entry.kind)?.sessionMs?.(meant.level)) || null
}

/** What the level means to its kind for whom it is given to; undefined: it has none of this name. */
function meaningOf(core: Core, entry: CatalogEntry, of: Frozen & { readonly level: string }) {
  const meaning = levelsOf(core.inForce.rules, entry).get(of.level)
  return meaning?.parsed.has(entry.kind) ? meansFor(core, entry, meaning, of) : undefined
}

async function named(id: string, read: ReadPrincipal): Promise<Named> {
  const principal = await read(id)
  return principal ? toNamed(principal) : { id, name: id }
}

/** A person may choose any name that is no verified e-mail, so it comes with what they can't choose. */
function toNamed({ id, name, kind, email, issuer, subject }: Principal): Named {
  return kind === 'service' || email !== null ? { id, name } : { id, name, unverified: { issuer, subject } }
}
