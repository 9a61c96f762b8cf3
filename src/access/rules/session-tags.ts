import { kindNamed } from '../../catalog/kind.ts'
import type { Resource } from '../../catalog/resource.ts'
import { claimsIn, fillTemplates, type SessionTags } from '../../catalog/session-tags.ts'
import type { Principal } from '../../identity/principal.ts'
import type { Core } from '../core.ts'
import type { Denied } from './decide.ts'
import type { LevelMeaning } from './rule.ts'

type Kinds = Pick<Core, 'kinds'>

/** Null: sessions of the level carry none beside the broker's own. */
export function templatesOf({ kinds }: Kinds, { kind }: Resource, { parsed }: LevelMeaning): SessionTags | null {
  const tagged = kindNamed(kinds, kind)?.tagged
  return tagged && parsed.has(kind) ? tagged.templatesOf(parsed.get(kind)) : null
}

/**
 * The tags that sessions of a level will carry for a person, to be frozen in what they ask for.
 * @param ticket of the request; null: none was given
 */
export async function sessionTagsFor(
  core: Kinds & Pick<Core, 'identity'>,
  resource: Resource,
  meaning: LevelMeaning,
  { principal, ticket }: { readonly principal: Principal; readonly ticket: string | null },
): Promise<{ readonly allowed: true; readonly sessionTags: SessionTags | null } | Denied> {
  const templates = templatesOf(core, resource, meaning)
  if (templates === null) return { allowed: true, sessionTags: null }
  const claims = claimsIn(templates).length === 0 ? {} : await core.identity.tagClaims(principal.id)
  const filled = fillTemplates(templates, { ticket, claims })
  return filled.ok ? { allowed: true, sessionTags: filled.tags } : noTags(filled.problem, filled.fix)
}

export function noTags(reason: string, hint?: string): Denied {
  const denied = {
    allowed: false,
    code: 'SESSION_TAG_UNUSABLE',
    rule: null,
    condition: 'session-tags',
    reason,
  } as const
  return { ...denied, ...(hint === undefined ? {} : { hint }) }
}

/** Whether two are the same tags. */
export function isSameTags(a: SessionTags | null, b: SessionTags | null): boolean {
  const [one, other] = [Object.entries(a ?? {}), b ?? {}]
  return one.length === Object.keys(other).length && one.every(([key, value]) => other[key] === value)
}
