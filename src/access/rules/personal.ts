import { kindNamed } from '../../catalog/kind.ts'
import type { CatalogEntry, Resource } from '../../catalog/resource.ts'
import type { Principal } from '../../identity/principal.ts'
import type { Core } from '../core.ts'
import type { StoredGrant } from '../rows/rows.ts'
import { type Decision, type Denied, decideGrant } from './decide.ts'
import type { LevelMeaning, Rule } from './rule.ts'
import { noTags, sessionTagsFor, templatesOf } from './session-tags.ts'

type Rules = Pick<Core, 'inForce' | 'kinds'>

export interface Meant {
  readonly allowed: true
  /** As its kind read it, for the person in question. */
  readonly level: unknown
}

function unusable(reason: string, hint?: string): Denied {
  const denied = { allowed: false, code: 'LOGIN_NAME_UNUSABLE', rule: null, condition: 'login-name', reason } as const
  return { ...denied, ...(hint === undefined ? {} : { hint }) }
}

/** Whether a level means something else for each person. */
export function isPersonal({ kinds }: Pick<Core, 'kinds'>, { kind }: Resource, meaning: LevelMeaning): boolean {
  const personal = kindNamed(kinds, kind)?.personal
  return personal !== undefined && meaning.parsed.has(kind) && personal.memberOf(meaning.parsed.get(kind)) !== null
}

/** What was frozen when access was asked for; null: the level needed none. */
export type Frozen = Pick<StoredGrant, 'loginName' | 'sessionTags'>

/** What a level means on a resource for whom it is given to. */
export function meansFor(rules: Rules, resource: Resource, meaning: LevelMeaning, frozen: Frozen): Meant | Denied {
  const meant = meansForName(rules, resource, meaning, frozen.loginName)
  const tagged = kindNamed(rules.kinds, resource.kind)?.tagged
  if (!meant.allowed || !tagged || templatesOf(rules, resource, meaning) === null) return meant
  if (frozen.sessionTags === null) return noTags('the level has session tags, and their values are not known')
  return { allowed: true, level: tagged.fill(meant.level, frozen.sessionTags) }
}

function meansForName(
  rules: Rules,
  resource: Resource,
  meaning: LevelMeaning,
  loginName: string | null,
): Meant | Denied {
  const { kind } = resource
  const level = meaning.parsed.get(kind)
  const personal = kindNamed(rules.kinds, kind)?.personal
  if (!personal || !isPersonal(rules, resource, meaning)) return { allowed: true, level }
  if (loginName === null)
    return unusable('the level is for one person, and there is no login name', 'give one: --login NAME')
  const all = rules.inForce.rules.levelSets.flatMap(({ levels }) =>
    [...levels.values()].flatMap(({ parsed }) => (parsed.has(kind) ? [parsed.get(kind)] : [])),
  )
  const read = personal.read(level, loginName, all)
  return read.ok
    ? { allowed: true, level: read.value }
    : unusable(read.problems.map(({ message }) => message).join('; '), read.problems[0]?.fix)
}

export type Standing = Meant & { readonly rule: Rule }

/** {@link decideGrant}, with what the level means for its holder by the login name that the grant was given for. */
export function decideHeld(
  core: Rules,
  principal: Principal,
  resource: CatalogEntry,
  grant: StoredGrant,
): Standing | Extract<Decision, { allowed: false }> {
  const decision = decideGrant(core.inForce.rules, principal, resource, grant)
  if (!decision.allowed) return decision
  const meant = meansFor(core, resource, decision.meaning, grant)
  return meant.allowed ? { ...meant, rule: decision.rule } : meant
}

type Directory = Pick<Core, 'grants' | 'identity'>

/**
 * The login name of a person, to be frozen in what they ask for; null for a level that means the same for everyone. One that another
 * person's grant has still belongs to that one.
 */
export async function loginNameFor(
  core: Rules & Directory,
  resource: Resource,
  meaning: LevelMeaning,
  principal: Principal,
): Promise<{ readonly allowed: true; readonly loginName: string | null } | Denied> {
  if (!isPersonal(core, resource, meaning)) return { allowed: true, loginName: null }
  const found = await core.identity.loginName(principal.id)
  if ('problem' in found) return unusable(found.problem, found.hint)
  const { name: loginName } = found
  const isHeld = core.grants.live.some(
    (grant) => grant.loginName === loginName && grant.principalId !== principal.id && core.grants.isLive(grant),
  )
  if (isHeld)
    return unusable(`another person still has access as ${loginName}`, 'wait for its end, or ask an admin to revoke it')
  const meant = meansForName(core, resource, meaning, loginName)
  return meant.allowed ? { allowed: true, loginName } : meant
}

/** What is frozen in a request: the values that the person and the request have now. @param ticket null: none was given */
export async function freeze(
  core: Rules & Directory,
  resource: Resource,
  meaning: LevelMeaning,
  of: { readonly principal: Principal; readonly ticket: string | null },
): Promise<({ readonly allowed: true } & Frozen) | Denied> {
  const named = await loginNameFor(core, resource, meaning, of.principal)
  if (!named.allowed) return named
  const tagged = await sessionTagsFor(core, resource, meaning, of)
  return tagged.allowed ? { allowed: true, loginName: named.loginName, sessionTags: tagged.sessionTags } : tagged
}
