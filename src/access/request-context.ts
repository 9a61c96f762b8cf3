import { kindNamed } from '../catalog/kind.ts'
import type { RequestContext, RequestView } from '../contract/requests.ts'
import type { Core } from './core.ts'
import type { Grant } from './grants/grant.ts'
import { meansOf } from './meaning.ts'
import { findRule } from './rules/decide.ts'
import { levelsOf } from './rules/rule.ts'

const recentMs = 30 * 86_400_000
/** More of them say nothing more to a person. */
const mostCounted = 1000

/** What a decision should be made with, of a request that the caller may see; without what access does not know: sessions. */
export async function requestContext(
  core: Core,
  { beneficiary, resourceId, level, loginName, sessionTags }: RequestView,
): Promise<Omit<RequestContext, 'openSessions'>> {
  const of = { principalId: beneficiary.id, resourceId, since: core.clock.now() - recentMs }
  const [grants30d, denied30d] = await Promise.all([
    core.store.countGrants({ ...of, all: true }, mostCounted),
    core.store.countDenied(of, mostCounted),
  ])
  return {
    tags: { ...core.inForce.catalog.get(resourceId)?.tags },
    means: meansOf(core, { resourceId, level, loginName, sessionTags }),
    grants30d,
    denied30d,
  }
}

/** Of a person on a resource; those of other levels are left out of them. */
const mostRead = 100

/** The latest grants of the same person for the same level on the same resource, newest first. */
export async function likeGrants(
  core: Pick<Core, 'store' | 'clock'>,
  { beneficiary, resourceId, level }: RequestView,
  most: number,
): Promise<readonly Grant[]> {
  const found = await core.store.grantsOn(beneficiary.id, resourceId, mostRead)
  const begun = found.filter(({ value }) => value.level === level && value.startsAt <= core.clock.now())
  return begun
    .map(({ value }) => value)
    .sort((a, b) => b.startsAt - a.startsAt)
    .slice(0, most)
}

/** A level of the resource that only reads, and that the rules give the same person; null: none, or the one asked for is such a level. */
export async function smallerLevel(
  core: Pick<Core, 'identity' | 'inForce' | 'kinds'>,
  { beneficiary, resourceId, level }: RequestView,
): Promise<string | null> {
  const entry = core.inForce.catalog.get(resourceId)
  const person = await core.identity.principal(beneficiary.id)
  if (!entry || !person) return null
  const levels = levelsOf(core.inForce.rules, entry)
  const reads = (name: string) => {
    const meaning = levels.get(name)?.parsed.get(entry.kind)
    return meaning !== undefined && kindNamed(core.kinds, entry.kind)?.readsOnly?.(meaning, name) === true
  }
  if (reads(level)) return null
  return (
    [...levels.keys()].find((name) => reads(name) && findRule(core.inForce.rules, person, entry, name).allowed) ?? null
  )
}
