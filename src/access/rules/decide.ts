import { formatDuration } from '../../../proxy/duration.ts'
import type { CatalogEntry, Resource } from '../../catalog/resource.ts'
import type { ExplainedRule } from '../../contract/policy.ts'
import { type Credential, type EntryCode, refuseEntry } from '../../identity/admission.ts'
import type { Principal } from '../../identity/principal.ts'
import type { Grant } from '../grants/grant.ts'
import {
  includesPrincipal,
  type LevelMeaning,
  levelsOf,
  maxTicketLength,
  mismatch,
  type Rule,
  type RuleSet,
  selects,
  stepUpOf,
} from './rule.ts'

/** What is asked, and how the person who asks has signed in. */
export interface Ask {
  readonly level: string
  readonly durationMs: number
  readonly reason: string | null
  readonly ticket: string | null
  readonly login: Credential
}

export type Condition =
  | 'principal'
  | 'rule'
  | 'level'
  | 'duration'
  | 'reason'
  | 'ticket'
  | 'login'
  | 'acr'
  | 'meaning'
  | 'target'
  | 'login-name'
  | 'session-tags'

export interface Allowed {
  readonly allowed: true
  readonly rule: Rule
  /** What the level means on this resource. */
  readonly meaning: LevelMeaning
}

export interface Denied {
  readonly allowed: false
  readonly code:
    | 'GRANT_DENIED'
    | 'LEVEL_UNKNOWN'
    | 'LOGIN_NAME_UNUSABLE'
    | 'SESSION_TAG_UNUSABLE'
    | EntryCode
    | 'PRINCIPAL_LOCKED'
    | 'PRINCIPAL_INACTIVE'
  /** The rule that failed; null when none applied. */
  readonly rule: string | null
  readonly condition: Condition
  /** May be shown to the person who asked. */
  readonly reason: string
  readonly hint?: string
}

export type Decision = Allowed | Denied

/** How the principal is addressed in reasons: `you are`, or `alice@example.com is`. */
export type Address = string

/** May this principal ask for this? Denies unless a rule says otherwise; the first rule that matches who, what and level decides. */
export function decide(
  rules: RuleSet,
  principal: Principal,
  resource: Resource,
  ask: Ask,
  now: number,
  address: Address = 'you are',
): Decision {
  const found = findRule(rules, principal, resource, ask.level, address)
  if (!found.allowed) return found
  return checkConditions(found.rule, ask) ?? checkSignIn(found.rule, ask.login, now) ?? found
}

/** The rule under which this principal may ask for this level, before any condition of asking. */
export function findRule(
  rules: RuleSet,
  principal: Principal,
  resource: Resource,
  level: string,
  address: Address = 'you are',
): Decision {
  const standing = checkStanding(principal, address)
  if (standing) return standing
  const levels = levelsOf(rules, resource)
  const meaning = levels.get(level)
  if (!meaning?.parsed.has(resource.kind)) {
    const known = [...levels.keys()]
    const reason = `${resource.id} has no level "${level}"; it has: ${known.join(', ') || 'none'}`
    return { allowed: false, code: 'LEVEL_UNKNOWN', rule: null, condition: 'level', reason }
  }
  const rule = rules.rules.find(
    (candidate) =>
      candidate.levels.includes(level) &&
      selects(candidate.what, resource) &&
      includesPrincipal(candidate.who, principal),
  )
  return rule ? { allowed: true, rule, meaning } : noRule(rules, principal, resource, level, address)
}

/** Whether the identity itself may do anything now. */
export function checkStanding(principal: Principal, address: Address = 'you are'): Denied | null {
  const denied = { allowed: false, rule: null, condition: 'principal' } as const
  if (!principal.active) return { ...denied, code: 'PRINCIPAL_INACTIVE', reason: `${address} no longer active` }
  if (principal.lockedAt !== null)
    return {
      ...denied,
      code: 'PRINCIPAL_LOCKED',
      reason: `${address} locked; an administrator can unlock the identity`,
    }
  return null
}

/** What a request or a grant is for. */
export interface Bound {
  readonly resourceId: string
  /** Null: before that was kept. */
  readonly targetId: string | null
}

/** Another target under the name of the one that was asked for is another resource. */
export function refuseReplaced({ targetId }: Pick<CatalogEntry, 'targetId'>, bound: Bound): Denied | null {
  if (bound.targetId === null || bound.targetId === targetId) return null
  return {
    allowed: false,
    code: 'GRANT_DENIED',
    rule: null,
    condition: 'target',
    reason: `${bound.resourceId} is another resource now: this was for ${bound.targetId}, and the configuration has ${targetId}`,
    hint: 'request it anew',
  }
}

/**
 * Does a grant that was given still stand? Its target must be the one it was given for, its own rule be in force and match, and the
 * level mean what it meant; changed conditions of asking don't matter.
 * @param levelDigest what the level meant when the grant was given
 */
export function decideGrant(
  rules: RuleSet,
  principal: Principal,
  resource: Resource & Pick<CatalogEntry, 'targetId'>,
  grant: Bound & Pick<Grant, 'level' | 'ruleName'> & { readonly levelDigest: string },
): Decision {
  const replaced = refuseReplaced(resource, grant)
  if (replaced) return replaced
  const rule = rules.rules.find((candidate) => candidate.name === grant.ruleName)
  const denied = { allowed: false, code: 'GRANT_DENIED', rule: grant.ruleName } as const
  if (!rule) {
    return { ...denied, condition: 'rule', reason: `the rule ${grant.ruleName} no longer exists` }
  }
  const failed = describeRule(rule, principal, resource, grant.level, 'you are').find((condition) => !condition.ok)
  if (failed) {
    return { ...denied, condition: 'rule', reason: `the rule ${rule.name} no longer covers this: ${failed.text}` }
  }
  const meaning = levelsOf(rules, resource).get(grant.level)
  if (meaning?.digest !== grant.levelDigest || !meaning.parsed.has(resource.kind)) {
    const reason = `the meaning of level ${grant.level} on ${resource.id} has changed; request it again`
    return { ...denied, condition: 'meaning', reason }
  }
  return { allowed: true, rule, meaning }
}

/** What a rule demands of the request itself, in the order in which a person can fix it; null when all is met. */
export function checkConditions(rule: Rule, ask: Omit<Ask, 'login'>): Denied | null {
  const { require } = rule
  const denied = (condition: Condition, reason: string): Denied => ({
    allowed: false,
    code: 'GRANT_DENIED',
    rule: rule.name,
    condition,
    reason: `rule ${rule.name} ${reason}`,
  })
  if (!(ask.durationMs > 0 && ask.durationMs <= rule.maxDurationMs)) {
    return denied(
      'duration',
      `allows ${formatDuration(rule.maxDurationMs)} at most; requested: ${formatDuration(ask.durationMs)}`,
    )
  }
  if (require.reason && !ask.reason?.trim()) return denied('reason', 'needs a reason; add --reason')
  if (require.ticket && !matchesTicket(require.ticket, ask.ticket)) {
    const got = ask.ticket === null ? 'none was given' : 'yours does not match'
    return denied('ticket', `needs a ticket that matches ${require.ticket.source}; ${got}`)
  }
  return null
}

function checkSignIn(rule: Rule, login: Credential, now: number): Denied | null {
  const refused = refuseEntry({ door: 'request', by: login, rule: stepUpOf(rule), now })
  if (!refused) return null
  const { code, reason = '', hint, isAcr } = refused
  const denied = { allowed: false, code, rule: rule.name, condition: isAcr ? 'acr' : 'login', reason } as const
  return { ...denied, ...(hint === undefined ? {} : { hint }) }
}

function matchesTicket(pattern: RegExp, ticket: string | null): boolean {
  return ticket !== null && ticket.length <= maxTicketLength && pattern.test(ticket)
}

/** Levels that this principal may ask for on this resource, in the order of the configuration. */
export function levelsToAskFor(rules: RuleSet, principal: Principal, resource: Resource): string[] {
  return [...levelsOf(rules, resource).keys()].filter((level) => findRule(rules, principal, resource, level).allowed)
}

/** Every rule that was considered, in order, and each of its conditions: the reasoning behind {@link findRule}. */
export function explain(
  rules: RuleSet,
  principal: Principal,
  resource: Resource,
  level: string,
  address: Address = 'you are',
): ExplainedRule[] {
  return rules.rules.map((rule) => {
    const conditions = describeRule(rule, principal, resource, level, address)
    return { name: rule.name, matches: conditions.every((condition) => condition.ok), conditions }
  })
}

function describeRule(
  rule: Rule,
  principal: Principal,
  resource: Resource,
  level: string,
  address: Address,
): ExplainedRule['conditions'] {
  const unselected = mismatch(rule.what, resource)
  const isIncluded = includesPrincipal(rule.who, principal)
  return [
    { condition: 'what', ok: unselected === null, text: unselected ?? 'it selects the resource' },
    {
      condition: 'level',
      ok: rule.levels.includes(level),
      text: `it is for ${rule.levels.join(', ')}; requested: ${level}`,
    },
    {
      condition: 'who',
      ok: isIncluded,
      text: isIncluded ? 'it includes the principal' : `it ${describeWho(rule, principal, address)}`,
    },
  ]
}

const mostNames = 20

/** `needs group engineering; you are in: sales, support` */
function describeWho(rule: Rule, principal: Principal, address: Address): string {
  const { groups, emails, principals } = rule.who
  const needs = [
    ...(groups.length > 0 ? [`group ${list(groups, ' or ')}`] : []),
    // The people whom a rule names individually are not shown to others.
    ...(emails.length + principals.length > 0 ? ['to be named in it'] : []),
  ]
  return `needs ${needs.join(', or ')}; ${address} in: ${list(principal.groups, ', ') || 'no group'}`
}

function list(names: readonly string[], separator: string): string {
  const more = names.length > mostNames ? `${separator}${names.length - mostNames} more` : ''
  return names.slice(0, mostNames).join(separator) + more
}

/** Names the rules that come closest, at most three. */
function noRule(rules: RuleSet, principal: Principal, resource: Resource, level: string, address: Address): Denied {
  const near = rules.rules.filter((rule) => rule.levels.includes(level) && selects(rule.what, resource)).slice(0, 3)
  const reasons = near.map((rule) => `rule ${rule.name} ${describeWho(rule, principal, address)}`)
  const reason = reasons.join('; ') || `no rule gives level ${level} on ${resource.id}`
  return { allowed: false, code: 'GRANT_DENIED', rule: near[0]?.name ?? null, condition: 'rule', reason }
}
