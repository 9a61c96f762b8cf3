import { sortedJson, sortedMembers } from '../../audit/canonical.ts'
import type { SessionTags } from '../../catalog/session-tags.ts'
import { signedRows, type WithoutMac } from '../../store/signed-rows.ts'
import type { Grant } from '../grants/grant.ts'
import type { AccessRequest, RequestStatus, StageDecision } from '../requests/request.ts'
import type { Stage } from '../rules/rule.ts'
import type { AccessTables } from './access-tables.ts'

/** A stored grant, with what is needed to check that it still holds and is the newest version. */
export interface StoredGrant extends Grant {
  /** What its target was when the grant was asked for; null: before that was kept. */
  readonly targetId: string | null
  /** What stands for `{login}` in its level: whatever the directory says later. */
  readonly loginName: string | null
  /** Tags that its sessions carry besides the broker's own; null: none. */
  readonly sessionTags: SessionTags | null
  /** What the level meant when the grant was given. */
  readonly levelDigest: string
  /** 1, 2 … with every change. */
  readonly version: number
  readonly endText: string | null
}

type Unsigned<Table extends keyof AccessTables> = WithoutMac<AccessTables[Table]>

/** Free text may be erased without breaking the MAC. */
export const { signRow, isSigned } = signedRows<AccessTables>(
  { grants: ['end_text'], requests: ['status_reason'], decisions: ['comment'], rule_revisions: [] },
  sortedMembers,
)

function tagsToColumn(tags: SessionTags | null): string | null {
  return tags === null ? null : sortedJson(tags)
}

function columnToTags(column: string | null): SessionTags | null {
  return column === null ? null : (JSON.parse(column) as SessionTags)
}

export function grantToRow(grant: StoredGrant): Unsigned<'grants'> {
  return {
    id: grant.id,
    request_id: grant.requestId,
    principal_id: grant.principalId,
    resource_id: grant.resourceId,
    target_id: grant.targetId,
    kind: grant.kind,
    level: grant.level,
    login_name: grant.loginName,
    session_tags: tagsToColumn(grant.sessionTags),
    starts_at: grant.startsAt,
    ends_at: grant.endsAt,
    rule_name: grant.ruleName,
    rule_digest: grant.ruleDigest,
    level_digest: grant.levelDigest,
    state: grant.state,
    ended_at: grant.endedAt,
    end_reason: grant.endReason,
    end_text: grant.endText,
    version: grant.version,
  }
}

export function rowToGrant(row: Unsigned<'grants'>): StoredGrant {
  return {
    id: row.id,
    requestId: row.request_id,
    principalId: row.principal_id,
    resourceId: row.resource_id,
    targetId: row.target_id,
    kind: row.kind,
    level: row.level,
    loginName: row.login_name,
    sessionTags: columnToTags(row.session_tags),
    startsAt: row.starts_at,
    endsAt: row.ends_at,
    ruleName: row.rule_name,
    ruleDigest: row.rule_digest,
    levelDigest: row.level_digest,
    state: row.state as Grant['state'],
    endedAt: row.ended_at,
    endReason: row.end_reason,
    endText: row.end_text,
    version: row.version,
  }
}

export function requestToRow(request: AccessRequest): Unsigned<'requests'> {
  return {
    id: request.id,
    requester_id: request.requesterId,
    requester_login: request.requesterLogin,
    beneficiary_id: request.beneficiaryId,
    resource_id: request.resourceId,
    target_id: request.targetId,
    kind: request.kind,
    level: request.level,
    login_name: request.loginName,
    session_tags: tagsToColumn(request.sessionTags),
    duration_ms: request.durationMs,
    reason: request.reason,
    ticket: request.ticket,
    rule_name: request.ruleName,
    rule_digest: request.ruleDigest,
    level_digest: request.levelDigest,
    stages: JSON.stringify(request.stages),
    round: request.round,
    digest: request.digest,
    status: request.status,
    status_reason: request.statusReason,
    extends_grant_id: request.extendsGrantId,
    created_at: request.createdAt,
    expires_at: request.expiresAt,
    ended_at: request.endedAt,
    version: request.version,
  }
}

export function rowToRequest(row: Unsigned<'requests'>): AccessRequest {
  return {
    id: row.id,
    requesterId: row.requester_id,
    requesterLogin: row.requester_login,
    beneficiaryId: row.beneficiary_id,
    resourceId: row.resource_id,
    targetId: row.target_id,
    kind: row.kind,
    level: row.level,
    loginName: row.login_name,
    sessionTags: columnToTags(row.session_tags),
    durationMs: row.duration_ms,
    reason: row.reason,
    ticket: row.ticket,
    ruleName: row.rule_name,
    ruleDigest: row.rule_digest,
    levelDigest: row.level_digest,
    stages: JSON.parse(row.stages) as Stage[],
    round: row.round,
    digest: row.digest,
    status: row.status as RequestStatus,
    statusReason: row.status_reason,
    extendsGrantId: row.extends_grant_id,
    createdAt: row.created_at,
    expiresAt: row.expires_at,
    endedAt: row.ended_at,
    version: row.version,
  }
}

export function decisionToRow(decision: StageDecision): Unsigned<'decisions'> {
  return {
    id: decision.id,
    request_id: decision.requestId,
    request_digest: decision.requestDigest,
    stage: decision.stage,
    principal_id: decision.principalId,
    verdict: decision.verdict,
    comment: decision.comment,
    decided_at: decision.decidedAt,
  }
}

export function rowToDecision(row: Unsigned<'decisions'>): StageDecision {
  return {
    id: row.id,
    requestId: row.request_id,
    requestDigest: row.request_digest,
    stage: row.stage,
    principalId: row.principal_id,
    verdict: row.verdict as StageDecision['verdict'],
    comment: row.comment,
    decidedAt: row.decided_at,
  }
}
