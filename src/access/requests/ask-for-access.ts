import { BrokerError } from '../../../proxy/session.ts'
import type { CatalogEntry, Resource } from '../../catalog/resource.ts'
import type { Login, Principal } from '../../identity/principal.ts'
import { newId } from '../../store/ids.ts'
import { type Core, currentPrincipal, isOfCaller, isOverseer, isVisible, mayKnowOf, refusal } from '../core.ts'
import { giveGrant } from '../grants/give-grant.ts'
import { recheckGrant } from '../grants/recheck.ts'
import type { StoredGrant } from '../rows/rows.ts'
import { type Ask, decide, levelsToAskFor, refuseReplaced } from '../rules/decide.ts'
import { type Frozen, freeze, loginNameFor } from '../rules/personal.ts'
import type { LevelMeaning, Rule } from '../rules/rule.ts'
import { type AccessRequest, deadEnd, requestDigest, termsDigest } from './request.ts'
import { requestEvent } from './request-keeper.ts'

/** Everything that a person may set in a request; the server derives the rest. */
export interface AccessAsk {
  /** Full id or unique last part; omitted with `sameAs`. */
  readonly resource?: string
  /** Omitted: the only level that may be requested. */
  readonly level?: string
  /** Omitted: an hour, or the rule's longest if that is shorter. */
  readonly durationMs?: number
  readonly reason?: string
  readonly ticket?: string
  /** Who gets the grant: id, e-mail or name of another principal. */
  readonly onBehalfOf?: string
  /** Id of an earlier request of one's own, whose values apply where none is given here. */
  readonly sameAs?: string
}

export interface AccessOutcome {
  readonly request: AccessRequest
  /** Granted at once by a rule without stages. */
  readonly grant: StoredGrant | null
}

/** How long a request waits for its approvers. */
export const pendingForMs = 24 * 3_600_000
const defaultDurationMs = 3_600_000
/** So that no one floods the approvers. */
const mostPending = 50

/**
 * Requests access; a rule without stages grants it at once.
 * @throws BrokerError with the rule and condition that failed
 */
export async function askForAccess(core: Core, login: Login, ask: AccessAsk): Promise<AccessOutcome> {
  const requester = await currentPrincipal(core, login.principal.id)
  const wanted = { ...(await earlierAsk(core, requester, ask.sameAs)), ...ask }
  const found = await findBeneficiary(core, requester, wanted.onBehalfOf)
  if (wanted.resource === undefined) throw new BrokerError('INVALID_INPUT', 'resource: required')
  const beneficiary = 'code' in found ? noOne : found
  const mayLookFor = isOwner(requester, beneficiary)
  const mayKnow = mayLookFor || beneficiary.id === requester.id || isOverseer(login)
  if ('code' in found && mayKnow) throw found
  const resource = core.inForce.catalog.find(
    wanted.resource,
    (one) => mayKnowOf(core, login, one, requester) || (mayLookFor && isVisible(core, beneficiary, one)),
  )
  await checkFlood(core, requester)
  try {
    return await submit(core, login, requester, beneficiary, resource, {
      level: wanted.level ?? onlyLevel(core, beneficiary, resource),
      durationMs: wanted.durationMs ?? null,
      totalMs: null,
      reason: wanted.reason?.trim() || null,
      ticket: wanted.ticket?.trim() || null,
      extendsGrantId: null,
      frozen: null,
    })
  } catch (error) {
    throw mayKnow ? error : discreet(error, resource)
  }
}

/** Judged instead of a person who isn't known: no rule includes them, and it takes as long. */
const noOne: Principal = {
  id: '',
  kind: 'person',
  issuer: '',
  subject: '',
  name: '',
  email: null,
  groups: [],
  manager: null,
  active: true,
  lockedAt: null,
  ownerId: null,
  madeBy: null,
}

/** The same answer whatever it is about another person: that they are unknown, locked, in other groups, or need a reason. */
function discreet(error: unknown, resource: Resource): unknown {
  if (!isOfCaller(error)) return error
  return new BrokerError('GRANT_DENIED', `you cannot request this level of ${resource.id} for them`, {
    hint: 'they can see why with: sallyport policy why; a rule may demand a reason, a ticket or a shorter time',
  })
}

/**
 * Requests more time on one's own live grant, under the current rule.
 * @throws BrokerError NOT_FOUND, GRANT_EXPIRED, and as {@link askForAccess}
 */
export async function askForExtension(
  core: Core,
  login: Login,
  grantId: string,
  more: { readonly durationMs: number; readonly reason?: string; readonly ticket?: string },
): Promise<AccessOutcome> {
  const requester = await currentPrincipal(core, login.principal.id)
  const reading = await core.grants.read(grantId)
  const holder = reading && (await core.identity.principal(reading.grant.principalId))
  const isHis = holder && (holder.id === requester.id || isOwner(requester, holder))
  if (!reading || !holder || !isHis) throw new BrokerError('NOT_FOUND', `you have no grant ${grantId}`)
  const { grant, problem } = reading
  if (problem) throw new BrokerError('GRANT_TAMPERED')
  if (!core.grants.isLive(grant)) throw new BrokerError('GRANT_EXPIRED')
  const resource = core.inForce.catalog.get(grant.resourceId)
  if (!resource) throw new BrokerError('RESOURCE_UNKNOWN', grant.resourceId)
  const replaced = refuseReplaced(resource, grant)
  if (replaced) throw refusal(replaced)
  await checkFlood(core, requester)
  const first = await core.requests.read(grant.requestId).catch(() => undefined) // only for its ticket; the rule tells if one is missing
  return await submit(core, login, requester, holder, resource, {
    level: grant.level,
    durationMs: more.durationMs,
    totalMs: grant.endsAt + more.durationMs - core.clock.now(),
    reason: more.reason?.trim() || null,
    ticket: more.ticket?.trim() || first?.ticket || null,
    extendsGrantId: grant.id,
    frozen: grant,
  })
}

interface Wanted {
  readonly level: string
  readonly durationMs: number | null
  /** How long the access would last from now on, when that isn't `durationMs`. */
  readonly totalMs: number | null
  readonly reason: string | null
  readonly ticket: string | null
  readonly extendsGrantId: string | null
  /** In the grant to be extended. */
  readonly frozen: Frozen | null
}

async function submit(
  core: Core,
  login: Login,
  requester: Principal,
  beneficiary: Principal,
  resource: CatalogEntry,
  wanted: Wanted,
): Promise<AccessOutcome> {
  const { rules } = core.inForce
  const now = core.clock.now()
  const address = beneficiary.id === requester.id ? 'you are' : `${beneficiary.name} is`
  const ask = toAsk(wanted, login)
  const decision = decide(rules, beneficiary, resource, ask, now, address)
  if (!decision.allowed) {
    core.metrics.requestsTotal.inc({ outcome: 'refused' })
    throw refusal(decision)
  }
  const { rule, meaning } = decision
  checkSubstitute(requester, beneficiary, rule)
  const dead = deadEnd(rule.stages, beneficiary)
  if (dead) throw new BrokerError('GRANT_DENIED', `rule ${rule.name}: ${dead}`)
  const unknown = await core.pushed.refuse(beneficiary, resource, meaning.parsed.get(resource.kind))
  if (unknown) throw new BrokerError('GRANT_DENIED', unknown.reason, { hint: unknown.hint })
  const { loginName, sessionTags } = await frozenIn(core, resource, meaning, beneficiary, wanted)
  const draft = {
    id: newId('req'),
    requesterId: requester.id,
    requesterLogin: login.id,
    beneficiaryId: beneficiary.id,
    resourceId: resource.id,
    kind: resource.kind,
    targetId: resource.targetId,
    level: wanted.level,
    loginName,
    sessionTags,
    durationMs: wanted.durationMs ?? Math.min(defaultDurationMs, rule.maxDurationMs),
    reason: wanted.reason,
    ticket: wanted.ticket,
    ruleName: rule.name,
    ruleDigest: termsDigest(rule, meaning),
    levelDigest: meaning.digest,
    stages: rule.stages,
    round: 0,
    status: 'pending',
    statusReason: null,
    extendsGrantId: wanted.extendsGrantId,
    createdAt: now,
    expiresAt: now + pendingForMs,
    endedAt: null,
    version: 1,
  } as const
  const request: AccessRequest = { ...draft, digest: requestDigest(draft) }
  const grant = await insert(core, requester, request)
  return { request: grant ? { ...request, status: 'granted' } : request, grant }
}

/** Of a grant that is extended nothing is frozen anew: it goes on as it was given, or not at all. */
async function frozenIn(
  core: Core,
  resource: CatalogEntry,
  meaning: LevelMeaning,
  principal: Principal,
  { ticket, frozen: earlier }: Pick<Wanted, 'ticket' | 'frozen'>,
): Promise<Frozen> {
  const found = earlier
    ? await loginNameFor(core, resource, meaning, principal)
    : await freeze(core, resource, meaning, { principal, ticket })
  if (!found.allowed) throw refusal(found)
  if (!earlier) return { sessionTags: null, ...found }
  const { loginName } = found
  if (loginName !== earlier.loginName)
    throw new BrokerError(
      'LOGIN_NAME_UNUSABLE',
      `the grant is for ${earlier.loginName}, and the login name is ${loginName} now`,
      { hint: 'return the grant and request a new one' },
    )
  return earlier
}

/** The input of the decision: an omitted duration becomes one that any rule allows, because the rule is not yet known. */
function toAsk(wanted: Wanted, login: Login): Ask {
  const durationMs = wanted.totalMs ?? wanted.durationMs ?? 1
  return { level: wanted.level, durationMs, reason: wanted.reason, ticket: wanted.ticket, login }
}

async function insert(core: Core, requester: Principal, request: AccessRequest): Promise<StoredGrant | null> {
  const auditText = {
    name: requester.name,
    ...(request.reason === null ? {} : { reason: request.reason }),
    ...(request.ticket === null ? {} : { ticket: request.ticket }),
  }
  const fields = { rules: core.inForce.rules.digest, extends: request.extendsGrantId, login: request.requesterLogin }
  const event = requestEvent('request.created', requester.id, request, auditText, fields)
  if (request.stages.length > 0) {
    await core.audit.append(event, { claims: [core.store.insertingRequest(request)] })
    core.requests.noteWritten(request)
    core.metrics.requestsTotal.inc({ outcome: 'pending' })
    return null
  }
  const granted: AccessRequest = { ...request, status: 'granted', endedAt: core.clock.now() }
  const { insertingRequest, requestIsGranted } = core.store
  const last = { event, claims: [insertingRequest(granted)], proof: requestIsGranted(granted) }
  const grant = await giveGrant(core, granted, requester.id, last)
  await recheckGrant(core, grant) // rules or directory may have changed while it was being written
  return grant
}

/** A rule without stages is for the requester; only the owner of a service account may request for another. */
function checkSubstitute(requester: Principal, beneficiary: Principal, rule: Rule): void {
  if (requester.id === beneficiary.id || rule.stages.length > 0 || isOwner(requester, beneficiary)) return
  const text = `rule ${rule.name} is self-service, so only ${beneficiary.name} can request it`
  throw new BrokerError('GRANT_DENIED', text)
}

function isOwner(principal: Principal, of: Principal): boolean {
  return of.ownerId !== null && of.ownerId === principal.id
}

/** @returns an error instead of throwing it, since not everyone may know of it */
async function findBeneficiary(
  core: Core,
  requester: Principal,
  reference: string | undefined,
): Promise<Principal | BrokerError> {
  if (reference === undefined) return requester
  return await core.identity.findPrincipal(reference).catch((error: unknown) => {
    if (isOfCaller(error)) return error
    throw error
  })
}

function onlyLevel(core: Core, principal: Principal, resource: Resource): string {
  const levels = levelsToAskFor(core.inForce.rules, principal, resource)
  const [only] = levels
  if (only !== undefined && levels.length === 1) return only
  if (only === undefined)
    throw new BrokerError('GRANT_DENIED', `no rule gives ${principal.name} a level on ${resource.id}`)
  throw new BrokerError('LEVEL_UNKNOWN', `several levels are available: ${levels.join(', ')}; choose one with --level`)
}

async function earlierAsk(core: Core, requester: Principal, id: string | undefined): Promise<AccessAsk> {
  if (id === undefined) return {}
  const earlier = await core.requests.read(id)
  if (earlier.requesterId !== requester.id && earlier.beneficiaryId !== requester.id)
    throw new BrokerError('NOT_FOUND', `no request ${id}`)
  const { resourceId, level, durationMs, reason, ticket } = earlier
  return {
    resource: resourceId,
    level,
    durationMs,
    ...(reason === null ? {} : { reason }),
    ...(ticket === null ? {} : { ticket }),
    ...(earlier.beneficiaryId === requester.id ? {} : { onBehalfOf: earlier.beneficiaryId }),
  }
}

async function checkFlood(core: Core, requester: Principal): Promise<void> {
  const pending = (await core.requests.pending()).filter((request) => request.requesterId === requester.id)
  if (pending.length >= mostPending)
    throw new BrokerError('RATE_LIMITED', `${pending.length} of your requests are pending; cancel some first`)
}
