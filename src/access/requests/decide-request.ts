import { BrokerError } from '../../../proxy/session.ts'
import { admit } from '../../identity/admission.ts'
import type { Login, Principal } from '../../identity/principal.ts'
import { newId } from '../../store/ids.ts'
import { type Core, currentPrincipal, isOverseer, principalReader, readAll } from '../core.ts'
import { giveGrant } from '../grants/give-grant.ts'
import { recheckGrant, refresh, requireSameTerms } from '../grants/recheck.ts'
import type { StoredGrant } from '../rows/rows.ts'
import { stepUpOf } from '../rules/rule.ts'
import {
  type AccessRequest,
  fillsStage,
  type Progress,
  progress,
  refuseDecider,
  type StageDecision,
} from './request.ts'
import { requestEvent } from './request-keeper.ts'

export interface DecisionAsk {
  readonly verdict: 'approve' | 'deny'
  /** Of the request as it was shown. */
  readonly digest: string
  readonly comment?: string
}

export interface Decided {
  readonly request: AccessRequest
  readonly grant: StoredGrant | null
}

/** A request with everything that its next decision depends on, as it is now. */
export interface Standing {
  readonly request: AccessRequest
  readonly requester: Principal
  readonly beneficiary: Principal
  readonly decisions: readonly StageDecision[]
  readonly progress: Progress
}

/** @throws BrokerError PRINCIPAL_INACTIVE when one of its people is no longer in the directory */
export async function standingOf(core: Core, request: AccessRequest, read = principalReader(core)): Promise<Standing> {
  const [requester, beneficiary] = await Promise.all([read(request.requesterId), read(request.beneficiaryId)])
  if (!requester || !beneficiary)
    throw new BrokerError(
      'PRINCIPAL_INACTIVE',
      `the requester or beneficiary of ${request.id} is no longer in the directory`,
    )
  const decisions = await core.store.decisions(request.id)
  const approvers = await readAll(
    decisions.map((decision) => decision.principalId),
    read,
  )
  return { request, requester, beneficiary, decisions, progress: progress(request, decisions, approvers, beneficiary) }
}

/** Who asked, who gets it, and who may fill any of its stages; apart from who has decided. */
export function concerns(
  { request, requester, beneficiary }: Pick<Standing, 'request' | 'requester' | 'beneficiary'>,
  principal: Principal,
): boolean {
  return (
    [requester.id, beneficiary.id, requester.ownerId, beneficiary.ownerId].includes(principal.id) ||
    request.stages.some((stage) => fillsStage(stage, principal, beneficiary))
  )
}

/**
 * Approves or denies the current stage of a request. The last approval creates the grant; a denial ends the request.
 * @throws BrokerError NOT_FOUND also for one that is over and doesn't concern this person, INTERACTIVE_REQUIRED, DECISION_REFUSED (audited), STALE, LOGIN_TOO_OLD, AUDIT_UNAVAILABLE …
 */
export async function decideRequest(core: Core, login: Login, id: string, ask: DecisionAsk): Promise<Decided> {
  admit({ door: 'denial', by: login }) // whatever the verdict; the rule's step-up comes with an approval
  return await core.requests.exclusively(id, async () => {
    const request = await refresh(core, await core.requests.read(id))
    if (request.status !== 'pending') {
      await checkMayBeTold(core, login, request)
      throw new BrokerError('STALE', `the request is ${described(request)}`)
    }
    const standing = await standingOf(core, request)
    const decider = await currentPrincipal(core, login.principal.id)
    await checkDecider(core, login, decider, standing, ask)
    const decide = ask.verdict === 'deny' ? deny : approve
    return await decide(core, decider, standing, ask).catch((error) => tellLoser(core, request, error))
  })
}

/** What became of a request names people and quotes what they wrote. */
async function checkMayBeTold(core: Core, login: Login, request: AccessRequest): Promise<void> {
  if (isOverseer(login)) return
  const read = principalReader(core)
  const [requester, beneficiary] = [await read(request.requesterId), await read(request.beneficiaryId)]
  if (requester && beneficiary && concerns({ request, requester, beneficiary }, login.principal)) return
  const decisions = await core.store.decisions(request.id)
  if (decisions.some(({ principalId }) => principalId === login.principal.id)) return
  throw new BrokerError('NOT_FOUND', `no request ${request.id}`)
}

/** Another daemon decided at the same time. */
async function tellLoser(core: Core, before: AccessRequest, error: unknown): Promise<never> {
  if (!(error instanceof BrokerError) || error.code !== 'STALE') throw error
  const now = await core.requests.read(before.id)
  if (now.version === before.version) throw error
  const is = now.status === 'pending' ? 'another decision came first' : `the request is ${described(now)}`
  throw new BrokerError('STALE', is, { cause: error, hint: 'review it again: sallyport requests' })
}

function described(request: AccessRequest): string {
  return request.statusReason ? `${request.status}: ${request.statusReason}` : request.status
}

async function checkDecider(
  core: Core,
  login: Login,
  decider: Principal,
  standing: Standing,
  ask: DecisionAsk,
): Promise<void> {
  const { request, decisions } = standing
  const refused = refuseDecider(request, standing, decider, decisions, standing.progress.current)
  if (refused !== null) {
    const fields = { verdict: ask.verdict }
    await core.audit.appendRemoval(
      requestEvent('decision.refused', decider.id, request, { name: decider.name, reason: refused }, fields),
    )
    throw new BrokerError('DECISION_REFUSED', refused)
  }
  if (ask.digest !== request.digest)
    throw new BrokerError('STALE', 'the request or its rule has changed', {
      hint: 'review it again: sallyport requests',
    })
  const rule = core.inForce.rules.rules.find((one) => one.name === request.ruleName)
  if (!rule) throw new BrokerError('STALE', `rule ${request.ruleName} no longer exists`)
  if (ask.verdict === 'deny') return
  admit({ door: 'approval', by: login, rule: stepUpOf(rule), now: core.clock.now() })
  await requireSameTerms(core, request)
}

function newDecision(core: Core, decider: Principal, { request, progress }: Standing, ask: DecisionAsk): StageDecision {
  return {
    id: newId('dec'),
    requestId: request.id,
    requestDigest: request.digest,
    stage: progress.current ?? 0,
    principalId: decider.id,
    verdict: ask.verdict,
    comment: ask.comment?.trim() || null,
    decidedAt: core.clock.now(),
  }
}

function decisionEvent(decider: Principal, request: AccessRequest, decision: StageDecision) {
  const auditText = { name: decider.name, ...(decision.comment === null ? {} : { comment: decision.comment }) }
  const fields = { decision: decision.id, stage: decision.stage, verdict: decision.verdict }
  return { auditText, fields, event: requestEvent('decision.made', decider.id, request, auditText, fields) }
}

async function deny(core: Core, decider: Principal, standing: Standing, ask: DecisionAsk): Promise<Decided> {
  const decision = newDecision(core, decider, standing, ask)
  const { auditText, fields } = decisionEvent(decider, standing.request, decision)
  const reason = `denied by ${decider.name}${decision.comment ? `: ${decision.comment}` : ''}`
  const how = {
    status: 'denied',
    reason,
    event: 'decision.made',
    actor: decider.id,
    auditText,
    fields,
    decision,
  } as const
  return { request: await core.requests.end(standing.request, how), grant: null }
}

async function approve(core: Core, decider: Principal, standing: Standing, ask: DecisionAsk): Promise<Decided> {
  const { request, decisions, beneficiary } = standing
  const decision = newDecision(core, decider, standing, ask)
  const read = principalReader(core)
  const all = [...decisions, decision]
  const approvers = await readAll(
    all.map((one) => one.principalId),
    read,
  )
  const { current } = progress(request, all, approvers, beneficiary)
  const next = { ...request, version: request.version + 1 }
  const { event } = decisionEvent(decider, next, decision)
  const { advancingRequest, insertingDecision, decisionStands } = core.store
  const claimsOf = (step: AccessRequest) => [advancingRequest(step), insertingDecision(decision)]
  if (current !== null) {
    await core.audit.append(event, { claims: claimsOf(next) })
    core.requests.noteWritten(next)
    return { request: next, grant: null }
  }
  const granted: AccessRequest = { ...next, status: 'granted', endedAt: core.clock.now() }
  const last = { event, claims: claimsOf(granted), proof: decisionStands(decision) }
  const grant = await giveGrant(core, granted, decider.id, last)
  await recheckGrant(core, grant) // rules or directory may have changed while it was being written
  return { request: granted, grant }
}

/** Cancels a pending request. @throws BrokerError NOT_FOUND, STALE when it is over */
export async function cancelRequest(core: Core, login: Login, id: string): Promise<AccessRequest> {
  return await core.requests.exclusively(id, async () => {
    const request = await core.requests.read(id)
    const { principal } = login
    if (request.requesterId !== principal.id && request.beneficiaryId !== principal.id)
      throw new BrokerError('NOT_FOUND', `no request ${id}`)
    if (request.status !== 'pending') throw new BrokerError('STALE', `the request is ${described(request)}`)
    const reason = `cancelled by ${principal.name}`
    const auditText = { name: principal.name }
    const how = { status: 'cancelled', reason, event: 'request.cancelled', actor: principal.id, auditText } as const
    return await core.requests.end(request, how).catch((error) => tellLoser(core, request, error))
  })
}
