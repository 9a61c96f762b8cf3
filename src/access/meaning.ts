import { kindNamed, type MeaningLine } from '../catalog/kind.ts'
import type { CatalogEntry } from '../catalog/resource.ts'
import type { Core } from './core.ts'
import { type Frozen, meansFor } from './rules/personal.ts'
import { levelsOf } from './rules/rule.ts'

/** What was given or asked for, and what was frozen then. */
export interface Meant extends Frozen {
  readonly resourceId: string
  readonly level: string
}

type Rules = Pick<Core, 'inForce' | 'kinds' | 'config'>

/** What the broker cannot do there, in sentences; why the level means nothing, if so. */
export function limitsOf(core: Rules, of: Meant): readonly string[] {
  const found = meaningOf(core, of)
  if (!found) return []
  const { entry, meant } = found
  return meant.allowed
    ? (kindNamed(core.kinds, entry.kind)?.limits?.(entry.target, meant.level, core.config) ?? [])
    : [meant.reason]
}

/** What the level gives on the resource now; none for what the rules know no longer. */
export function meansOf(core: Rules, of: Meant): readonly MeaningLine[] {
  const { entry, meant } = meaningOf(core, of) ?? {}
  if (!entry || !meant?.allowed) return []
  return kindNamed(core.kinds, entry.kind)?.means?.(meant.level, entry.target) ?? []
}

/** How long one session may last, ms; null: as long as its grant. */
export function sessionMsOf(core: Rules, of: Meant): number | null {
  const { entry, meant } = meaningOf(core, of) ?? {}
  return (entry && meant?.allowed && kindNamed(core.kinds, entry.kind)?.sessionMs?.(meant.level)) || null
}

/** What the level means to its kind for whom it is given to; undefined: it has none of this name. */
function meaningOf(core: Rules, of: Meant) {
  const entry: CatalogEntry | undefined = core.inForce.catalog.get(of.resourceId)
  const meaning = entry && levelsOf(core.inForce.rules, entry).get(of.level)
  return entry && meaning?.parsed.has(entry.kind) ? { entry, meant: meansFor(core, entry, meaning, of) } : undefined
}
