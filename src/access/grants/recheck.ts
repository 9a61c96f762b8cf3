import { BrokerError } from '../../../proxy/session.ts'
import { type Core, principalReader, type ReadPrincipal } from '../core.ts'
import { type AccessRequest, deadEnd, requestDigest, termsDigest } from '../requests/request.ts'
import type { StoredGrant } from '../rows/rows.ts'
import { checkConditions, checkStanding, findRule, refuseReplaced } from '../rules/decide.ts'
import { decideHeld, freeze } from '../rules/personal.ts'
import { isSameTags } from '../rules/session-tags.ts'

/** Which grants it is about; all by default. */
type Concerns = (grant: Pick<StoredGrant, 'principalId' | 'resourceId'>) => boolean

/**
 * Re-checks live grants and pending requests against the current rules and directory. A daemon whose rules are not those that were
 * loaded last, by whichever daemon, ends nothing that they allow no longer: it refuses sessions of it.
 */
export async function recheck(core: Core): Promise<void> {
  const read = principalReader(core)
  await recheckGrants(core, read)
  await recheckRequests(core, read)
}

/** The same for some resources. */
export async function recheckResources(core: Core, ids: ReadonlySet<string>): Promise<void> {
  const read = principalReader(core)
  await recheckGrants(core, read, ({ resourceId }) => ids.has(resourceId))
  await recheckRequests(core, read, ({ resourceId }) => ids.has(resourceId))
}

/**
 * The same for one principal after another: grants at once; pending requests are read once for all who came while others were looked
 * at, since a directory may change in a thousand places within a second.
 */
export function createRecheckOf(core: Core): (principalId: string) => Promise<void> {
  let turn: Promise<unknown> = Promise.resolve()
  let next: { readonly ids: Set<string>; readonly done: Promise<void> } | undefined
  const begin = (ids: Set<string>) => {
    const done = turn.then(() => {
      next = undefined
      return recheckRequests(
        core,
        principalReader(core),
        ({ beneficiaryId, requesterId }) => ids.has(beneficiaryId) || ids.has(requesterId),
      )
    })
    turn = done.catch(() => undefined) // its callers hear of it
    return { ids, done }
  }
  return async (principalId) => {
    next ??= begin(new Set())
    next.ids.add(principalId)
    const grants = recheckGrants(core, principalReader(core), (grant) => grant.principalId === principalId)
    await Promise.all([grants, next.done])
  }
}

/** All at once: an end takes effect before it is stored, so none of them waits for another's fsync. */
async function recheckGrants(core: Core, read: ReadPrincipal, concerns: Concerns = () => true): Promise<void> {
  const grants = core.grants.live.filter(concerns)
  await Promise.all(grants.map((grant) => recheckGrant(core, grant, read)))
}

async function recheckRequests(
  core: Core,
  read: ReadPrincipal,
  concerns: (request: AccessRequest) => boolean = () => true,
): Promise<void> {
  for (const request of await core.requests.pending()) {
    if (!concerns(request)) continue
    await core.requests.exclusively(request.id, async () => refresh(core, await core.requests.read(request.id), read))
  }
}

/** What becomes of a live grant, and why. */
export type GrantVerdict =
  | {
      readonly becomes: 'ended'
      readonly reason: 'principal-inactive' | 'resource-gone' | 'resource-replaced' | 'rule-changed'
      readonly text: string
    }
  | { readonly becomes: 'shorter'; readonly endsAt: number; readonly text: string }

/** What the rules in force say of a live grant; null: it stands as it is. Changes nothing. */
export async function judgeGrant(
  core: Pick<Core, 'inForce' | 'kinds' | 'clock'>,
  grant: StoredGrant,
  read: ReadPrincipal,
): Promise<GrantVerdict | null> {
  const principal = await read(grant.principalId)
  if (!principal?.active)
    return { becomes: 'ended', reason: 'principal-inactive', text: 'the identity is no longer active' }
  const { inForce } = core
  if (!inForce.isNewestFor(grant.resourceId)) return null
  const resource = inForce.catalog.get(grant.resourceId)
  if (!resource) return { becomes: 'ended', reason: 'resource-gone', text: absence(core, grant.resourceId) }
  const decision = decideHeld(core, principal, resource, grant)
  if (!decision.allowed) {
    const reason = decision.condition === 'target' ? 'resource-replaced' : 'rule-changed'
    return { becomes: 'ended', reason, text: decision.reason }
  }
  const latest = core.clock.now() + decision.rule.maxDurationMs
  if (grant.endsAt <= latest) return null
  return { becomes: 'shorter', endsAt: latest, text: `rule ${decision.rule.name} was shortened` }
}

/** Ends a grant that is no longer allowed, and shortens one that is longer than its rule now allows. */
export async function recheckGrant(
  core: Core,
  grant: StoredGrant,
  read: ReadPrincipal = principalReader(core),
): Promise<void> {
  const verdict = await judgeGrant(core, grant, read)
  if (verdict?.becomes === 'shorter') await core.grants.shorten(grant.id, verdict.endsAt, verdict.text)
  if (verdict?.becomes !== 'ended') return
  const { reason, text } = verdict
  const how = { state: 'revoked', event: 'grant.ended', actor: 'system' } as const
  await core.grants.end(grant.id, { ...how, reason, text, auditText: { reason: text } })
}

/**
 * The current state of a pending request: expired, cancelled, refused, or with new terms that void what was approved.
 * Call it while holding the request's lock.
 */
export async function refresh(
  core: Core,
  request: AccessRequest,
  read: ReadPrincipal = principalReader(core),
): Promise<AccessRequest> {
  if (request.status !== 'pending') return request
  if (core.clock.now() >= request.expiresAt) return await expire(core, request)
  try {
    return await rejudge(core, request, read)
  } catch (error) {
    if (!(error instanceof BrokerError) || error.code !== 'STALE') throw error
    return await core.requests.read(request.id) // another daemon came first
  }
}

/** For every daemon it is over; the one that leads writes it down. */
async function expire({ requests, leader, clock }: Core, request: AccessRequest): Promise<AccessRequest> {
  const how = { status: 'expired', reason: 'no decision was made in time' } as const
  const expired = { ...request, status: how.status, statusReason: how.reason, endedAt: clock.now() }
  if (!leader.isLeader) return expired
  try {
    return await requests.end(request, { ...how, event: 'request.expired', actor: 'system' }, [leader.claim()])
  } catch (error) {
    if (error instanceof BrokerError && error.code === 'STALE') return expired
    throw error
  }
}

/** What becomes of a pending request, and why. */
export type RequestVerdict =
  | { readonly becomes: 'cancelled' | 'refused'; readonly text: string }
  | { readonly becomes: 'voided'; readonly text: string; readonly terms: Terms }

/** What directory and rules in force say of a pending request; null: it stands as it is. Changes nothing. */
export async function judgeRequest(
  core: TermsCore,
  request: AccessRequest,
  read: ReadPrincipal,
): Promise<RequestVerdict | null> {
  const gone = await goneParty(request, read)
  if (gone) return { becomes: 'cancelled', text: gone }
  if (!core.inForce.isNewestFor(request.resourceId)) return null
  const terms = await currentTerms(core, request, read)
  if ('refused' in terms) return { becomes: 'refused', text: terms.refused }
  if (terms.ruleDigest === request.ruleDigest) return null
  return { becomes: 'voided', text: `the terms of rule ${terms.ruleName} have changed`, terms }
}

async function rejudge(core: Core, request: AccessRequest, read: ReadPrincipal): Promise<AccessRequest> {
  const { requests } = core
  const verdict = await judgeRequest(core, request, read)
  if (!verdict) return request
  const { text: reason } = verdict
  if (verdict.becomes === 'voided') {
    const changed = { ...request, ...verdict.terms, round: request.round + 1, version: request.version + 1 }
    return await requests.void({ ...changed, digest: requestDigest(changed) }, reason)
  }
  const { becomes: status } = verdict
  const event = status === 'cancelled' ? 'request.cancelled' : 'request.voided'
  const how = { status, reason, event, actor: 'system' } as const
  return await requests.end(request, { ...how, auditText: { reason } })
}

/**
 * Before an approval: the terms must be those of the rules of this daemon, too.
 * @throws BrokerError STALE when another daemon has loaded other rules
 */
export async function requireSameTerms(core: Core, request: AccessRequest): Promise<void> {
  if (core.inForce.isNewestFor(request.resourceId)) return // refreshed by them
  const terms = await currentTerms(core, request, principalReader(core))
  if ('refused' in terms || terms.ruleDigest !== request.ruleDigest)
    throw new BrokerError('STALE', 'another daemon has loaded other rules since', {
      hint: 'the daemons of an installation need the same configuration; reload this one',
    })
}

async function goneParty(request: AccessRequest, read: ReadPrincipal): Promise<string | null> {
  for (const id of [request.requesterId, request.beneficiaryId]) {
    const principal = await read(id)
    if (!principal) return 'the requester is no longer in the directory'
    const standing = checkStanding(principal, `${principal.name} is`)
    if (standing) return standing.reason
  }
  return null
}

/** Why a resource cannot be had any more: such as the tag that let it in, and is gone. */
function absence({ inForce }: Pick<Core, 'inForce'>, resourceId: string): string {
  const reason = inForce.whyNotThere(resourceId)
  return `${resourceId} is no longer in the catalog${reason === null ? '' : `: ${reason}`}`
}

type Terms = Pick<AccessRequest, 'ruleName' | 'ruleDigest' | 'levelDigest' | 'stages' | 'loginName' | 'sessionTags'>

type TermsCore = Pick<Core, 'inForce' | 'kinds' | 'grants' | 'identity' | 'clock'>

async function currentTerms(
  core: TermsCore,
  request: AccessRequest,
  read: ReadPrincipal,
): Promise<Terms | { readonly refused: string }> {
  const { rules, catalog } = core.inForce
  const beneficiary = await read(request.beneficiaryId)
  const resource = catalog.get(request.resourceId)
  if (!beneficiary || !resource) return { refused: absence(core, request.resourceId) }
  const replaced = refuseReplaced(resource, request)
  if (replaced) return { refused: replaced.reason }
  const found = findRule(rules, beneficiary, resource, request.level, `${beneficiary.name} is`)
  if (!found.allowed) return { refused: found.reason }
  const durationMs = await totalMs(core, request)
  if (durationMs === null) return { refused: 'the grant to extend has ended' }
  const unmet = checkConditions(found.rule, { ...request, durationMs })
  if (unmet) return { refused: unmet.reason }
  const { rule, meaning } = found
  if (rule.stages.length === 0) return { refused: `rule ${rule.name} no longer needs approval; request it again` }
  const dead = deadEnd(rule.stages, beneficiary)
  if (dead) return { refused: dead }
  const frozen = await freeze(core, resource, meaning, { principal: beneficiary, ticket: request.ticket })
  if (!frozen.allowed) return { refused: frozen.reason }
  const { loginName } = frozen
  if (request.loginName !== null && loginName !== null && request.loginName !== loginName)
    return {
      refused: `the login name of ${beneficiary.name} is ${loginName} now, not ${request.loginName}; request it again`,
    }
  const ruleDigest = termsDigest(rule, meaning)
  const sessionTags = request.extendsGrantId === null ? frozen.sessionTags : request.sessionTags
  if (ruleDigest === request.ruleDigest && !isSameTags(sessionTags, request.sessionTags))
    return { refused: `the values of its session tags have changed for ${beneficiary.name}; request it again` }
  return { loginName, sessionTags, ruleName: rule.name, ruleDigest, levelDigest: meaning.digest, stages: rule.stages }
}

/** How long the access would last from now on; null when the grant to be lengthened is over. */
async function totalMs(core: Pick<Core, 'grants' | 'clock'>, request: AccessRequest): Promise<number | null> {
  if (request.extendsGrantId === null) return request.durationMs
  const reading = await core.grants.read(request.extendsGrantId)
  if (!reading || reading.problem || !core.grants.isLive(reading.grant)) return null
  return reading.grant.endsAt + request.durationMs - core.clock.now()
}
