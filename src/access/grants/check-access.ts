import { formatDuration } from '../../../proxy/duration.ts'
import { BrokerError } from '../../../proxy/session.ts'
import type { Resource } from '../../catalog/resource.ts'
import type { Principal } from '../../identity/principal.ts'
import type { AccessAnswer } from '../access.ts'
import { type Core, isVisible, type ReadPrincipal } from '../core.ts'
import type { StoredGrant } from '../rows/rows.ts'
import { checkStanding, findRule, levelsToAskFor } from '../rules/decide.ts'
import { decideHeld } from '../rules/personal.ts'
import { type Rule, stepUpOf } from '../rules/rule.ts'
import type { GrantReading } from './grant-keeper.ts'

export interface CheckAsk {
  readonly principalId: string
  readonly resource: string
  readonly level?: string
  readonly grantId?: string
  /** For a caller that reads the principal in the same moment anyway; default: from the directory. */
  readonly read?: ReadPrincipal
}

type Refused = Extract<AccessAnswer, { allowed: false }>

/** May this principal open a session now? Reads principal, grant and rules again. */
export async function checkAccess(core: Core, ask: CheckAsk): Promise<AccessAnswer> {
  const read = ask.read ?? ((id) => core.identity.principal(id))
  const [principal, reading] = await Promise.all([
    read(ask.principalId),
    ask.grantId === undefined ? undefined : core.grants.read(ask.grantId),
  ])
  if (!principal) return refuse('PRINCIPAL_INACTIVE', 'this identity is no longer in the directory')
  const standing = checkStanding(principal)
  if (standing) {
    const isLocked = standing.code === 'PRINCIPAL_LOCKED'
    return refuse(isLocked ? 'PRINCIPAL_LOCKED' : 'PRINCIPAL_INACTIVE', standing.reason)
  }
  return ask.grantId === undefined
    ? await checkByResource(core, principal, ask)
    : checkByGrant(core, principal, ask, reading)
}

function refuse(code: Refused['code'], reason: string, hint?: string): Refused {
  return { allowed: false, code, reason, ...(hint === undefined ? {} : { hint }) }
}

/** A connect token, or a second look at a session: this grant and no other. */
function checkByGrant(core: Core, principal: Principal, ask: CheckAsk, reading?: GrantReading): AccessAnswer {
  if (!reading || reading.grant.principalId !== principal.id)
    return refuse('GRANT_DENIED', 'the grant does not exist, or is not yours')
  const { grant } = reading
  if (grant.resourceId !== ask.resource && nameOf(grant.resourceId) !== ask.resource)
    return refuse('GRANT_DENIED', 'the token was issued for another resource')
  if (ask.level !== undefined && ask.level !== grant.level)
    return refuse('GRANT_DENIED', `the token was issued for level ${grant.level}`)
  return judge(core, principal, reading)
}

function nameOf(resourceId: string): string {
  return resourceId.slice(resourceId.lastIndexOf('/') + 1)
}

function toTokenRule({ name, require, connectTokenMaxMs }: Rule) {
  return { ...stepUpOf({ name, require }), connectTokenMaxMs }
}

const mostGrants = 50

async function checkByResource(core: Core, principal: Principal, ask: CheckAsk): Promise<AccessAnswer> {
  let resource: Resource
  try {
    resource = core.inForce.catalog.find(ask.resource, (one) => isVisible(core, principal, one))
  } catch (error) {
    return notFound(error)
  }
  const found = await core.store.grantsOn(principal.id, resource.id, mostGrants)
  const readings: GrantReading[] = []
  for (const one of found) {
    if (ask.level === undefined || one.value.level === ask.level) readings.push(await core.grants.judge(one))
  }
  const live = readings.filter(({ grant, problem }) => !problem && core.grants.isLive(grant))
  const levels = [...new Set(live.map(({ grant }) => grant.level))]
  if (levels.length > 1) {
    const named = levels.sort().join(', ')
    return refuse(
      'GRANT_DENIED',
      `you hold several levels on ${resource.id}: ${named}; choose one`,
      `--level ${levels[0]}`,
    )
  }
  const [longest] = live.sort((a, b) => b.grant.endsAt - a.grant.endsAt)
  if (longest) return judge(core, principal, longest)
  return await refuseWithoutGrant(core, principal, resource, readings, ask.level)
}

function notFound(error: unknown): Refused {
  if (!(error instanceof BrokerError)) throw error
  const code = error.code === 'RESOURCE_AMBIGUOUS' ? 'RESOURCE_AMBIGUOUS' : 'RESOURCE_UNKNOWN'
  const detail = error.message.slice(error.message.indexOf(': ') + 2) // the answer's code brings the text before it
  return refuse(code, detail, error.hint)
}

function judge(core: Core, principal: Principal, { grant, problem }: GrantReading): AccessAnswer {
  if (problem) return refuse('GRANT_TAMPERED', problem)
  const resource = core.inForce.catalog.get(grant.resourceId)
  if (!resource) return refuse('RESOURCE_UNKNOWN', `${grant.resourceId} is no longer in the catalog`)
  if (!core.grants.isLive(grant)) return refuseEnded(core, principal, resource, grant)
  const decision = decideHeld(core, principal, resource, grant)
  if (!decision.allowed)
    return refuse('GRANT_DENIED', decision.reason, howToAsk(core, principal, resource, grant.level))
  const { level } = decision
  return { allowed: true, grant, held: { resource, target: resource.target, level }, rule: toTokenRule(decision.rule) }
}

function refuseEnded(core: Core, principal: Principal, resource: Resource, grant: StoredGrant): Refused {
  const hint = howToAsk(core, principal, resource, grant.level)
  if (grant.state !== 'active' && grant.state !== 'expired')
    return refuse('GRANT_DENIED', grant.endText ?? `the grant was ${grant.state}`, hint)
  return refuse('GRANT_EXPIRED', `it ended at ${new Date(grant.endsAt).toISOString()}`, hint)
}

/** No live grant: says what ended, what is pending, or that there is none; and which command to run. */
async function refuseWithoutGrant(
  core: Core,
  principal: Principal,
  resource: Resource,
  readings: readonly GrantReading[],
  level: string | undefined,
): Promise<Refused> {
  const tampered = readings.find(({ grant, problem }) => problem !== null && grant.state === 'active')
  if (tampered?.problem) return refuse('GRANT_TAMPERED', tampered.problem)
  const pending = (await core.requests.pending()).find(
    (request) =>
      request.beneficiaryId === principal.id &&
      request.resourceId === resource.id &&
      (level === undefined || request.level === level),
  )
  if (pending) {
    const waiting = `your request ${pending.id} for level ${pending.level} is waiting for approval`
    return refuse('GRANT_DENIED', waiting, 'see: sallyport requests')
  }
  const [last] = readings.filter(({ problem }) => !problem).sort((a, b) => endOf(b.grant) - endOf(a.grant))
  if (last) return refuseEnded(core, principal, resource, last.grant)
  const what = level === undefined ? resource.id : `level ${level} of ${resource.id}`
  const hint = howToAsk(core, principal, resource, level)
  if (level !== undefined && hint === undefined) {
    const decision = findRule(core.inForce.rules, principal, resource, level)
    if (!decision.allowed) return refuse('GRANT_DENIED', decision.reason)
  }
  return refuse('GRANT_DENIED', `you hold no grant for ${what}`, hint)
}

function endOf({ endedAt, endsAt }: StoredGrant): number {
  return endedAt ?? endsAt
}

/** The exact command; undefined when no rule lets them ask. */
function howToAsk(core: Core, principal: Principal, resource: Resource, level: string | undefined): string | undefined {
  const { rules, catalog } = core.inForce
  const name = level ?? levelsToAskFor(rules, principal, resource)[0]
  const decision = name === undefined ? undefined : findRule(rules, principal, resource, name)
  if (!decision?.allowed) return undefined
  const { maxDurationMs, require } = decision.rule
  const namesakes = catalog.all.filter((one) => one.name === resource.name && isVisible(core, principal, one))
  const words = [
    `sallyport request ${namesakes.length > 1 ? resource.id : resource.name} --level ${name}`,
    `--for ${formatDuration(Math.min(maxDurationMs, 3_600_000))}`,
    ...(require.reason ? ['--reason "…"'] : []),
    ...(require.ticket ? ['--ticket …'] : []),
  ]
  return `request it: ${words.join(' ')}`
}
