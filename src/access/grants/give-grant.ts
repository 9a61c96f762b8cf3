import { BrokerError } from '../../../proxy/session.ts'
import { newId } from '../../store/ids.ts'
import type { Core } from '../core.ts'
import type { AccessRequest } from '../requests/request.ts'
import type { RequestStep } from '../rows/access-store.ts'
import type { StoredGrant } from '../rows/rows.ts'
import { grantEvent } from './grant-keeper.ts'

/**
 * Creates or extends the grant of an approved request. It is audited first, so that no grant is missing from the
 * log. @param write stores request and grant, both or neither
 * @throws BrokerError AUDIT_UNAVAILABLE, STORE_UNAVAILABLE, STALE: nothing was given
 */
export async function giveGrant(
  core: Core,
  request: AccessRequest,
  actor: string,
  write: (step: RequestStep & { grant: StoredGrant }) => Promise<void>,
): Promise<StoredGrant> {
  const isNew = request.extendsGrantId === null
  const grant = isNew ? newGrant(core, request) : await longerGrant(core, request)
  const type = isNew ? 'grant.created' : 'grant.extended'
  await core.audit.append(grantEvent(type, actor, grant, {}, { approved_request: request.id }))
  await write({ request, grant })
  core.requests.noteWritten(request)
  core.grants.noteWritten(grant)
  const { id, endsAt } = grant
  core.changes.publish(
    isNew
      ? { what: 'grant-given', id, endsAt, from: null }
      : { what: 'grant-extended', id, endsAt, from: endsAt - request.durationMs },
  )
  core.metrics.requestsTotal.inc({ outcome: 'granted' })
  return grant
}

function newGrant(core: Core, request: AccessRequest): StoredGrant {
  const startsAt = core.clock.now()
  return {
    id: newId('grt'),
    requestId: request.id,
    principalId: request.beneficiaryId,
    resourceId: request.resourceId,
    kind: request.kind,
    level: request.level,
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

/** The grant under the rule of its newest approval; its holder and resource never change. */
async function longerGrant(core: Core, request: AccessRequest): Promise<StoredGrant> {
  const reading = await core.grants.read(request.extendsGrantId ?? '')
  if (!reading || reading.problem || !core.grants.isLive(reading.grant))
    throw new BrokerError('STALE', 'the grant to extend has ended')
  const { grant } = reading
  return {
    ...grant,
    endsAt: grant.endsAt + request.durationMs,
    ruleName: request.ruleName,
    ruleDigest: request.ruleDigest,
    levelDigest: request.levelDigest,
    version: grant.version + 1,
  }
}
