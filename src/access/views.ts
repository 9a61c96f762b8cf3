import { kindNamed } from '../catalog/kind.ts'
import type { CatalogEntry } from '../catalog/resource.ts'
import type { GrantView } from '../contract/grants.ts'
import type { Named } from '../contract/references.ts'
import type { RequestView } from '../contract/requests.ts'
import type { ResourceView } from '../contract/resources.ts'
import type { Login, Principal } from '../identity/principal.ts'
import { type Core, isOverseer, isVisible, principalReader, type ReadPrincipal } from './core.ts'
import { mayEndGrant } from './grants/end-grant.ts'
import type { GrantReading } from './grants/grant-keeper.ts'
import { type Standing, standingOf } from './requests/decide-request.ts'
import { type AccessRequest, fillsStage, refuseDecider } from './requests/request.ts'
import { levelsToAskFor } from './rules/decide.ts'

/** Resources that some rule or live grant of theirs covers; admins and auditors see all. */
export function viewResources(core: Core, login: Login, kind?: string): ResourceView[] {
  const { principal } = login
  return core.inForce.catalog.all
    .filter((resource) => kind === undefined || resource.kind === kind)
    .filter((resource) => isOverseer(login) || isVisible(core, principal, resource))
    .map((resource) => viewResource(core, principal, resource))
}

function viewResource(core: Core, principal: Principal, entry: CatalogEntry): ResourceView {
  const { id, account, region, name, tags, target } = entry
  const kind = kindNamed(core.kinds, entry.kind)
  const shown = kind?.shown?.(target) ?? {}
  const grants = core.grants.live
    .filter((grant) => grant.principalId === principal.id && grant.resourceId === id && core.grants.isLive(grant))
    .map((grant) => ({ id: grant.id, level: grant.level, endsAt: grant.endsAt }))
  return {
    id,
    kind: entry.kind,
    account,
    region,
    name,
    tags,
    protocol: kind?.protocol ?? null,
    shown,
    database: shown.database ?? null,
    levels: levelsToAskFor(core.inForce.rules, principal, entry),
    grants,
  }
}

const mostListed = 500

/** One's own grants and those one may end; admins and auditors see all. @param query.all includes ended ones */
export async function viewGrants(core: Core, login: Login, query: { readonly all: boolean }): Promise<GrantView[]> {
  const read = principalReader(core)
  const found = isOverseer(login) || query.all ? await listed(core, login) : []
  const readings: GrantReading[] = []
  for (const one of found) readings.push(await core.grants.judge(one))
  const known = new Set(readings.map(({ grant }) => grant.id))
  for (const grant of core.grants.live) if (!known.has(grant.id)) readings.push({ grant, problem: null })
  const views: GrantView[] = []
  for (const { grant, problem } of readings.sort((a, b) => (a.grant.id < b.grant.id ? 1 : -1))) {
    if (!query.all && !core.grants.isLive(grant)) continue
    if (isOverseer(login) || (await mayEndGrant(core, login, grant, read)))
      views.push(await viewGrant(core, { grant, problem }, read))
  }
  return views
}

function listed(core: Core, login: Login) {
  return isOverseer(login) ? core.store.allGrants(mostListed) : core.store.grantsOf(login.principal.id, mostListed)
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
    level: grant.level,
    rule: grant.ruleName,
    startsAt: grant.startsAt,
    endsAt: grant.endsAt,
    state: problem ? 'tampered' : isOver ? 'expired' : grant.state,
    endedAt: grant.endedAt,
    endReason: grant.endReason,
    endText: grant.endText,
  }
}

/** Requests that concern this person, newest first. @param query.all includes closed ones */
export async function viewRequests(core: Core, login: Login, query: { readonly all: boolean }): Promise<RequestView[]> {
  const requests = new Map<string, AccessRequest>()
  for (const request of await core.requests.pending()) requests.set(request.id, request)
  if (query.all) {
    const whose = isOverseer(login) ? null : login.principal.id
    const found = await core.store.requestsOf(whose, mostListed)
    for (const request of await core.requests.judgeAll(found)) requests.set(request.id, request)
  }
  const read = principalReader(core)
  const views: RequestView[] = []
  for (const request of [...requests.values()].sort((a, b) => (a.id < b.id ? 1 : -1))) {
    const view = await viewRequest(core, login, request, read)
    if (view) views.push(view)
  }
  return views
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
  if (!isOverseer(login) && !concerns(standing, login.principal)) return undefined
  const { decisions, progress, requester, beneficiary } = standing
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
    requester: { id: requester.id, name: requester.name },
    beneficiary: { id: beneficiary.id, name: beneficiary.name },
    resourceId: request.resourceId,
    kind: request.kind,
    level: request.level,
    durationMs: request.durationMs,
    reason: request.reason,
    ticket: request.ticket,
    rule: request.ruleName,
    digest: request.digest,
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

/** Who asked, who gets it, who has decided, and who may fill any of its stages. */
function concerns({ request, requester, beneficiary, decisions }: Standing, principal: Principal): boolean {
  return (
    [requester.id, beneficiary.id, requester.ownerId, beneficiary.ownerId].includes(principal.id) ||
    decisions.some((decision) => decision.principalId === principal.id) ||
    request.stages.some((stage) => fillsStage(stage, principal, beneficiary))
  )
}

async function named(id: string, read: ReadPrincipal): Promise<Named> {
  return { id, name: (await read(id))?.name ?? id }
}
