import type { CompiledQuery } from 'kysely'
import { BrokerError } from '../../../proxy/session.ts'
import type { AuditEvent } from '../../audit/audit.ts'
import { newId } from '../../store/ids.ts'
import type { Core } from '../core.ts'
import type { AccessRequest } from '../requests/request.ts'
import type { StoredGrant } from '../rows/rows.ts'
import { grantEvent } from './grant-events.ts'

/** The event that leads to a grant, and the step of the request that is committed with it. */
export interface LastStep {
  readonly event: AuditEvent
  readonly claims: readonly CompiledQuery[]
  /** Finds a row when this very step was committed, not the same step by another daemon. */
  readonly proof: CompiledQuery
}

/**
 * Creates or extends the grant of an approved request. Both events and all rows are in the log and the store before it takes effect,
 * and only if nothing of what it rests on has changed since, by whichever daemon.
 * @param last makes the request granted
 * @throws BrokerError AUDIT_UNAVAILABLE, STALE, CLOCK_WRONG: nothing was given
 */
export async function giveGrant(
  core: Core,
  request: AccessRequest,
  actor: string,
  last: LastStep,
): Promise<StoredGrant> {
  core.requireClock()
  const { audit, store } = core
  const former = request.extendsGrantId === null ? null : await standingGrant(core, request.extendsGrantId)
  const grant = former ? longer(former, request) : newGrant(core, request)
  const type = former ? 'grant.extended' : 'grant.created'
  // Asked for at once, so that they are one commit; the second has no effect without the first.
  const results = await Promise.allSettled([
    audit.append(last.event, { claims: [...(former ? [store.grantStands(former)] : []), ...last.claims] }),
    audit.append(grantEvent(type, actor, grant, {}, { approved_request: request.id }), {
      claims: [last.proof, former ? store.replacingGrant(grant) : store.insertingGrant(grant)],
    }),
  ])
  for (const result of results) if (result.status === 'rejected') throw result.reason
  core.requests.noteWritten(request)
  core.grants.noteWritten(grant)
  const { id, endsAt } = grant
  core.changes.publish(
    former
      ? { what: 'grant-extended', id, endsAt, from: former.endsAt }
      : { what: 'grant-given', id, endsAt, from: null },
  )
  core.metrics.requestsTotal.inc({ outcome: 'granted' })
  return grant
}

function newGrant(core: Core, request: AccessRequest): StoredGrant {
  // By a clock that was ahead and is right again it would begin, and end, later than was approved.
  const startsAt = core.wallClock.now()
  return {
    id: newId('grt'),
    requestId: request.id,
    principalId: request.beneficiaryId,
    resourceId: request.resourceId,
    targetId: request.targetId,
    kind: request.kind,
    level: request.level,
    loginName: request.loginName,
    sessionTags: request.sessionTags,
    startsAt,
    endsAt: startsAt + request.durationMs,
    ruleName: request.ruleName,
    ruleDigest: request.ruleDigest,
    levelDigest: request.levelDigest,
    state: 'active',
    endedAt: null,
    endReason: null,
    endText: null,
    version: 1,
  }
}

async function standingGrant(core: Core, id: string): Promise<StoredGrant> {
  const reading = await core.grants.read(id)
  if (!reading || reading.problem || !core.grants.isLive(reading.grant))
    throw new BrokerError('STALE', 'the grant to extend has ended')
  core.grants.adopt(reading)
  return reading.grant
}

/** The grant under the rule of its newest approval; its holder and resource never change. */
function longer(grant: StoredGrant, request: AccessRequest): StoredGrant {
  return {
    ...grant,
    targetId: request.targetId ?? grant.targetId, // null: asked for before it was kept
    endsAt: grant.endsAt + request.durationMs,
    ruleName: request.ruleName,
    ruleDigest: request.ruleDigest,
    levelDigest: request.levelDigest,
    version: grant.version + 1,
  }
}
