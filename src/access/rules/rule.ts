import { parseDuration } from '../../../proxy/duration.ts'
import { digestOf } from '../../audit/digest.ts'
import { fitsPattern } from '../../catalog/fits-pattern.ts'
import type { CatalogEntry, Resource } from '../../catalog/resource.ts'
import type { LevelFile, RuleFile } from '../../config/schema.ts'
import type { StepUp } from '../../identity/admission.ts'
import { emailKey } from '../../identity/names.ts'
import type { Principal } from '../../identity/principal.ts'

/** Which resources: all members that are given must match, each exactly; one that names none matches none. */
export interface Selector {
  readonly ids?: readonly string[]
  readonly accounts?: readonly string[]
  readonly kinds?: readonly string[]
  readonly regions?: readonly string[]
  readonly tags?: Readonly<Record<string, string>>
  /** Patterns of the last part of ids; `*` stands for any characters, `?` for one. */
  readonly names?: readonly string[]
  /** Ids of units or the root: everything beneath, at any depth. */
  readonly organizational_units?: readonly string[]
  readonly account_tags?: Readonly<Record<string, string>>
}

/** What selectors go by. */
export type Selectable = Resource & Pick<CatalogEntry, 'place' | 'ungrantable'>

/** Anyone in any of these. */
export interface Who {
  readonly groups: readonly string[]
  readonly emails: readonly string[]
  readonly principals: readonly string[]
}

/** One step of an approval. `anyOf`: `group:NAME`, `email:ADDRESS`, `manager`. */
export interface Stage {
  readonly anyOf: readonly string[]
  /** How many different people. */
  readonly count: number
}

export interface Rule {
  readonly name: string
  readonly who: Who
  readonly what: Selector
  readonly levels: readonly string[]
  readonly maxDurationMs: number
  readonly require: {
    readonly reason: boolean
    /** Anchored at both ends. */
    readonly ticket: RegExp | null
    readonly loginWithinMs: number | null
    /** Empty: any. */
    readonly acr: readonly string[]
  }
  /** In order; empty: self-service. */
  readonly stages: readonly Stage[]
  readonly connectTokenMaxMs: number
  /** Hex SHA-256 of the rule as it is written. */
  readonly digest: string
}

/** What one level means; `parsed` holds what each kind read of it. */
export interface LevelMeaning {
  readonly raw: unknown
  readonly digest: string
  readonly parsed: ReadonlyMap<string, unknown>
}

/** Levels of the resources that `for` selects. */
export interface LevelSet {
  readonly for: Selector
  readonly levels: ReadonlyMap<string, LevelMeaning>
}

/** Rules and levels of one load, in the order in which they are written. */
export interface RuleSet {
  /** Hex SHA-256 over rules, levels and the catalog they were checked with. */
  readonly digest: string
  readonly rules: readonly Rule[]
  readonly levelSets: readonly LevelSet[]
}

/** Whether some rule gives access to a resource at all. */
export function isGiven(ruleSet: RuleSet, resource: Selectable): boolean {
  const levels = levelsOf(ruleSet, resource)
  return ruleSet.rules.some((rule) => selects(rule.what, resource) && rule.levels.some((level) => levels.has(level)))
}

/** Groups that rules name, of who may ask and of who decides, each once and sorted. */
export function groupsNamed({ rules }: Pick<RuleSet, 'rules'>): string[] {
  const named = rules.flatMap(({ who, stages }) => [
    ...who.groups,
    ...stages.flatMap(({ anyOf }) =>
      anyOf.flatMap((term) => (term.startsWith('group:') ? [term.slice('group:'.length)] : [])),
    ),
  ])
  return [...new Set(named)].sort()
}

/** The longest ticket that a pattern is run on. */
export const maxTicketLength = 128

/** What it demands of the sign-in behind a request, an approval, or the use of what it gave. */
export function stepUpOf({ name, require }: Pick<Rule, 'name' | 'require'>): StepUp {
  return { name, loginWithinMs: require.loginWithinMs, acr: require.acr }
}

/** Converts a rule that passed the schema into the form that the daemon uses. @throws SyntaxError for a broken pattern */
export function parseRule(file: RuleFile): Rule {
  const { require, approval } = file
  return {
    name: file.name,
    who: { groups: file.who.groups ?? [], emails: file.who.emails ?? [], principals: file.who.principals ?? [] },
    what: file.what,
    levels: file.levels,
    maxDurationMs: durationMs(file.max_duration ?? '8h'),
    require: {
      reason: require?.reason ?? false,
      ticket: require?.ticket === undefined ? null : wholePattern(require.ticket),
      loginWithinMs: require?.login_within === undefined ? null : durationMs(require.login_within),
      acr: require?.acr ?? [],
    },
    stages: (approval?.stages ?? []).map((stage) => ({ anyOf: stage.any_of, count: stage.count ?? 1 })),
    connectTokenMaxMs: durationMs(file.connect_token_max ?? '12h'),
    digest: digestOf(file),
  }
}

/** Names of the levels in an entry of `levels`, with what is written for each. */
export function levelEntries(file: LevelFile): [string, unknown][] {
  return Object.entries(file).filter(([name]) => name !== 'for')
}

/** @param parsed what the kinds made of each level, by level name and kind */
export function parseLevelSet(file: LevelFile, parsed: ReadonlyMap<string, ReadonlyMap<string, unknown>>): LevelSet {
  const levels = levelEntries(file).map(([name, raw]): [string, LevelMeaning] => [
    name,
    { raw, digest: digestOf(raw), parsed: parsed.get(name) ?? new Map() },
  ])
  return { for: file.for, levels: new Map(levels) }
}

/** `8h` → 28800000. @throws TypeError for anything that the schema would have refused */
export function durationMs(text: string): number {
  const ms = parseDuration(text)
  if (ms === undefined) throw new TypeError(`expected a duration such as 8h, got "${text}"`)
  return ms
}

/** @throws SyntaxError */
export function wholePattern(pattern: string): RegExp {
  new RegExp(pattern, 'u') // alone first: `a)|(b` must not become valid by being wrapped
  return new RegExp(`^(?:${pattern})$`, 'u')
}

/** Members of a selector; one with none of them selects nothing. */
export const selectorMembers = [
  'ids',
  'accounts',
  'kinds',
  'regions',
  'tags',
  'names',
  'organizational_units',
  'account_tags',
] as const satisfies readonly (keyof Selector)[]

/** Why a selector doesn't select a resource, in words; null when it does. */
export function mismatch(selector: Selector, resource: Selectable): string | null {
  const { ids, accounts, kinds, regions, tags, names } = selector
  if (selectorMembers.every((member) => !selector[member])) return 'it selects nothing'
  if (resource.ungrantable !== undefined) return resource.ungrantable
  if (resource.place?.unusable) return resource.place.unusable
  if (ids && !ids.includes(resource.id)) return 'its id is not listed'
  if (accounts && !(resource.account && accounts.includes(resource.account)))
    return `it is in account ${resource.account ?? '-'}, not ${accounts.join(', ')}`
  if (kinds && !kinds.includes(resource.kind)) return `it is of kind ${resource.kind}, not ${kinds.join(', ')}`
  if (regions && !(resource.region && regions.includes(resource.region)))
    return `it is in region ${resource.region ?? '-'}, not ${regions.join(', ')}`
  if (names && !names.some((pattern) => fitsPattern(pattern, resource.name)))
    return `its name is ${resource.name}, not ${names.join(' or ')}`
  return (tags ? tagMismatch(tags, resource.tags, 'it') : null) ?? placeMismatch(selector, resource)
}

function tagMismatch(wanted: Readonly<Record<string, string>>, tags: Resource['tags'], what: string): string | null {
  const pairs = Object.entries(wanted)
  if (pairs.length === 0) return 'it selects nothing'
  for (const [key, value] of pairs) {
    const found = Object.hasOwn(tags, key) ? tags[key] : undefined
    if (found !== value)
      return `${what} has ${found === undefined ? `no tag ${key}` : `tag ${key}=${found}`}, not ${value}`
  }
  return null
}

/** Of what is not known nothing matches. */
function placeMismatch({ organizational_units: units, account_tags: tags }: Selector, resource: Selectable) {
  if (!units && !tags) return null
  const { place, account } = resource
  if (!place) return `the place of account ${account ?? '-'} in the organization is not known`
  if (units && !place.units?.some((unit) => units.includes(unit)))
    return place.units ? `it is not beneath ${units.join(' or ')}` : 'it is not known which units hold it'
  if (!tags) return null
  return place.accountTags ? tagMismatch(tags, place.accountTags, 'its account') : 'it is in no account'
}

export function selects(selector: Selector, resource: Selectable): boolean {
  return mismatch(selector, resource) === null
}

/** An e-mail counts only when it is verified and unique; identity leaves it null otherwise. */
export function includesPrincipal(who: Who, principal: Principal): boolean {
  return (
    who.principals.includes(principal.id) ||
    includesEmail(who.emails, principal.email) ||
    principal.groups.some((group) => who.groups.includes(group))
  )
}

function includesEmail(emails: readonly string[], email: string | null): boolean {
  if (email === null || emails.length === 0) return false
  const key = emailKey(email)
  return emails.some((one) => emailKey(one) === key)
}

/** The levels that a resource has: those of the first entry that selects it. */
export function levelsOf(rules: RuleSet, resource: Selectable): ReadonlyMap<string, LevelMeaning> {
  return rules.levelSets.find((set) => selects(set.for, resource))?.levels ?? new Map()
}

/** `accounts 111122223333; tags env=prod` */
export function formatSelector(selector: Selector): string {
  return selectorMembers
    .flatMap((member) => {
      const value = selector[member]
      if (!value) return []
      const items = Array.isArray(value) ? value : Object.entries(value).map(([key, one]) => `${key}=${one}`)
      return items.length > 0 ? [`${member.replaceAll('_', ' ')} ${items.join(', ')}`] : []
    })
    .join('; ')
}
