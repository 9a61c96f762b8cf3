import type { RequestView } from '../contract/requests.ts'
import type { Login, Principal } from '../identity/principal.ts'
import { type ListPage, readPage } from '../store/lists.ts'
import { type Core, isOverseer, principalReader, type ReadPrincipal } from './core.ts'
import { limitsOf } from './meaning.ts'
import { concerns, type Standing, standingOf } from './requests/decide-request.ts'
import { type AccessRequest, fillsStage, progress, refuseDecider } from './requests/request.ts'
import type { AccessQuery, FoundRequest } from './rows/access-store.ts'
import { named, toNamed } from './views.ts'

/** Requests that concern this person, newest first; admins and auditors see all. A box holds only the caller’s own, overseers’ too. */
export async function viewRequests(core: Core, login: Login, query: AccessQuery): Promise<ListPage<RequestView>> {
  const read = principalReader(core)
  const seesAll = isOverseer(login)
  const { box, ...rest } = query
  const asked = box === 'decided' ? { ...query, all: true } : box === 'decide' ? { ...rest, box, all: false } : query
  return await readPage<FoundRequest, RequestView>(
    {
      read: (cursor, limit) => core.store.listRequests(asked, login.principal.id, cursor, limit),
      cursorOf: ({ value }) => value.id,
      choose: async (found) => {
        const shown = await judgeRequest(core, login, found, asked, read)
        return shown && (async () => present(core, login, await standingOf(core, shown.request, read), read))
      },
      ...(seesAll && asked.all && box === undefined ? { count: (most) => core.store.countRequests(asked, most) } : {}),
    },
    query,
  )
}

/** @returns the request with its people, if this person may see it in that list */
async function judgeRequest(
  core: Core,
  login: Login,
  found: FoundRequest,
  { all, box }: AccessQuery,
  read: ReadPrincipal,
): Promise<Parties | undefined> {
  const request = await core.requests.judge(found)
  if (!request || (!all && request.status !== 'pending')) return undefined
  const [requester, beneficiary] = [await read(request.requesterId), await read(request.beneficiaryId)]
  if (!requester || !beneficiary) return undefined
  const parties = { request, requester, beneficiary }
  if (box === 'decide')
    return (await mayDecide(core, parties, login.principal, found.isUndecided, read)) ? parties : undefined
  const isSeen = isOverseer(login) || found.hasDecided || concerns(parties, login.principal)
  return isSeen ? parties : undefined
}

type Parties = Pick<Standing, 'request' | 'requester' | 'beneficiary'>

/** Whether it waits for this very person. Most are judged without a look at decisions. */
async function mayDecide(
  core: Core,
  parties: Parties,
  principal: Principal,
  isUndecided: boolean,
  read: ReadPrincipal,
): Promise<boolean> {
  const { request, beneficiary } = parties
  if (!request.stages.some((stage) => fillsStage(stage, principal, beneficiary))) return false
  if (isUndecided) {
    const { current } = progress(request, [], new Map(), beneficiary)
    return refuseDecider(request, parties, principal, [], current) === null
  }
  const { decisions, progress: reached } = await standingOf(core, request, read)
  return refuseDecider(request, parties, principal, decisions, reached.current) === null
}

/** What waits in a box of this person. @param most no more are counted; both numbers are bounded */
export async function countBox(core: Core, login: Login, box: 'decide' | 'mine', most: number): Promise<number> {
  const read = principalReader(core)
  let count = 0
  let cursor: string | undefined
  for (let judged = 0; judged < mostJudged; judged += atOnce) {
    const rows = await core.store.listRequests({ box }, login.principal.id, cursor, atOnce)
    for (const row of rows) {
      if (!(await judgeRequest(core, login, row, { box }, read))) continue
      count++
      if (count === most) return count
    }
    cursor = rows.at(-1)?.value.id
    if (rows.length < atOnce) return count
  }
  return count
}

const atOnce = 200
const mostJudged = 4000

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
