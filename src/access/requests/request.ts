import { digestOf } from '../../audit/digest.ts'
import type { SessionTags } from '../../catalog/session-tags.ts'
import { isSameEmail } from '../../identity/names.ts'
import type { Principal } from '../../identity/principal.ts'
import type { LevelMeaning, Rule, Stage } from '../rules/rule.ts'

export type RequestStatus = 'pending' | 'granted' | 'denied' | 'cancelled' | 'expired' | 'refused'

/** A stored request. Everything but level, duration, reason and ticket is derived by the server. */
export interface AccessRequest {
  readonly id: string
  readonly requesterId: string
  /** Login or API token that made it. */
  readonly requesterLogin: string
  /** Who gets the grant. */
  readonly beneficiaryId: string
  readonly resourceId: string
  readonly kind: string
  /** What its target is, by its kind; null: asked for before that was kept. */
  readonly targetId: string | null
  readonly level: string
  /** What stands for `{login}` in the level; null: it holds none. */
  readonly loginName: string | null
  /** Tags that its sessions will carry besides the broker's own, with the values that they had when it was made; null: none. */
  readonly sessionTags: SessionTags | null
  readonly durationMs: number
  readonly reason: string | null
  readonly ticket: string | null
  readonly ruleName: string
  /** {@link termsDigest} of the rule and level under which it is judged. */
  readonly ruleDigest: string
  readonly levelDigest: string
  readonly stages: readonly Stage[]
  /** Counts how often earlier approvals were voided, so that an old digest never comes back. */
  readonly round: number
  /** {@link requestDigest}; a decision carries it. */
  readonly digest: string
  readonly status: RequestStatus
  /** Why it ended, in words. */
  readonly statusReason: string | null
  /** The grant that it extends; null: it is for a new one. */
  readonly extendsGrantId: string | null
  readonly createdAt: number
  /** When it expires without a decision. */
  readonly expiresAt: number
  readonly endedAt: number | null
  readonly version: number
}

/** One person's decision on a request; counts only while the request still has this digest. */
export interface StageDecision {
  readonly id: string
  readonly requestId: string
  readonly requestDigest: string
  /** 0, 1 … */
  readonly stage: number
  readonly principalId: string
  readonly verdict: 'approve' | 'deny'
  readonly comment: string | null
  readonly decidedAt: number
}

/** Digest of a rule and of what the level means on the resource in question: what an approver agrees to. */
export function termsDigest(rule: Pick<Rule, 'digest'>, meaning: Pick<LevelMeaning, 'digest'>): string {
  return digestOf({ rule: rule.digest, level: meaning.digest })
}

/** Digest of everything that an approver sees; a different one voids earlier approvals. */
export function requestDigest(
  request: Pick<
    AccessRequest,
    | 'id'
    | 'beneficiaryId'
    | 'resourceId'
    | 'targetId'
    | 'level'
    | 'loginName'
    | 'sessionTags'
    | 'durationMs'
    | 'reason'
    | 'ticket'
    | 'ruleDigest'
    | 'extendsGrantId'
    | 'round'
  >,
): string {
  const { id, beneficiaryId, resourceId, level, durationMs, reason, ticket, ruleDigest, extendsGrantId, round } =
    request
  const { targetId, loginName, sessionTags } = request
  return digestOf({
    id,
    beneficiaryId,
    resourceId,
    level,
    durationMs,
    reason,
    ticket,
    ruleDigest,
    extendsGrantId,
    round,
    // as it was before that was kept
    ...(targetId === null ? {} : { targetId }),
    ...(loginName === null ? {} : { loginName }),
    ...(sessionTags === null ? {} : { sessionTags }),
  })
}

/** Whether this person may fill that stage for that beneficiary, apart from what {@link refuseDecider} forbids. */
export function fillsStage(stage: Stage, approver: Principal, beneficiary: Principal): boolean {
  if (approver.kind !== 'person' || !approver.active || approver.lockedAt !== null) return false
  return stage.anyOf.some((term) => {
    if (term === 'manager') return isManager(approver, beneficiary)
    const name = term.slice(term.indexOf(':') + 1)
    if (term.startsWith('group:')) return approver.groups.includes(name)
    return term.startsWith('email:') && isSameEmail(approver.email, name)
  })
}

/** The directory names a manager by e-mail, or by subject at the same provider. */
function isManager(approver: Principal, of: Principal): boolean {
  if (!of.manager) return false
  return isSameEmail(approver.email, of.manager) || (approver.subject === of.manager && approver.issuer === of.issuer)
}

/** Why a stage can never be filled, in words; null when it can, as far as the directory says. */
export function deadEnd(stages: readonly Stage[], beneficiary: Principal): string | null {
  const at = stages.findIndex((stage) => stage.anyOf.every((term) => term === 'manager'))
  if (at < 0 || beneficiary.manager) return null
  return `stage ${at + 1} needs the manager of ${beneficiary.name}, and the directory names none`
}

export interface Progress {
  /** Index of the stage to be filled next; null when all are. */
  readonly current: number | null
  /** How many count, by stage. */
  readonly approvals: readonly number[]
}

/**
 * How far the stages are filled, in order. A decision counts if it was made for the request as it is now, by a person who
 * still qualifies, and if that person fills no earlier stage.
 * @param approvers current principals by id; who is missing doesn't count
 */
export function progress(
  request: Pick<AccessRequest, 'stages' | 'digest'>,
  decisions: readonly StageDecision[],
  approvers: ReadonlyMap<string, Principal>,
  beneficiary: Principal,
): Progress {
  const used = new Set<string>()
  const approvals = request.stages.map((stage, index) => {
    const counted = decisions.filter((decision) => {
      const approver = approvers.get(decision.principalId)
      if (decision.verdict !== 'approve' || decision.requestDigest !== request.digest) return false
      if (decision.stage !== index || used.has(decision.principalId)) return false
      if (!approver || !fillsStage(stage, approver, beneficiary)) return false
      used.add(decision.principalId)
      return true
    })
    return counted.length
  })
  const current = request.stages.findIndex((stage, index) => (approvals[index] ?? 0) < stage.count)
  return { current: current < 0 ? null : current, approvals }
}

export interface Parties {
  readonly requester: Principal
  readonly beneficiary: Principal
}

/** Why this person may not decide the request at its current stage; null when they may. */
export function refuseDecider(
  request: Pick<AccessRequest, 'stages' | 'digest' | 'status'>,
  parties: Parties,
  decider: Principal,
  decisions: readonly StageDecision[],
  current: number | null,
): string | null {
  const stage = current === null ? undefined : request.stages[current]
  if (request.status !== 'pending' || current === null || !stage) return `the request is ${request.status}`
  if (decider.id === parties.requester.id) return 'it is your own request'
  if (decider.id === parties.beneficiary.id) return 'you would receive this access'
  if (decider.id === parties.requester.ownerId || decider.id === parties.beneficiary.ownerId)
    return 'you own the service account in this request'
  if (decider.id === parties.requester.madeBy || decider.id === parties.beneficiary.madeBy)
    return 'you made the service account in this request'
  const earlier = decisions.find((d) => d.principalId === decider.id && d.requestDigest === request.digest)
  if (earlier) return `you have already decided stage ${earlier.stage + 1}; one person fills one stage`
  if (!fillsStage(stage, decider, parties.beneficiary)) {
    const lack =
      stage.anyOf.includes('manager') && !parties.beneficiary.manager ? '; the directory names no manager' : ''
    return `stage ${current + 1} of ${request.stages.length} is for ${stage.anyOf.join(' or ')}${lack}`
  }
  return null
}
