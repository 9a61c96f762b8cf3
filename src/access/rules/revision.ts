import { sortedJson } from '../../audit/canonical.ts'
import type { ResourceFile } from '../../catalog/resource.ts'
import type { Config } from '../../config/config.ts'

/** The content of one load of the rules, as written. */
export type Revision = Pick<Config, 'access' | 'levels' | 'resources'>

export interface RevisionDiff {
  readonly rules: Names
  readonly levelsChanged: boolean
  readonly resources: Names
}

interface Names {
  readonly added: readonly string[]
  readonly removed: readonly string[]
  readonly changed: readonly string[]
}

/** What changed between two loads, by name; after none, everything is new. */
export function diffRevisions(before: Revision | undefined, after: Revision): RevisionDiff {
  const none: Revision = { access: [], levels: [], resources: [] }
  const old = before ?? none
  return {
    rules: diffNamed(old.access, after.access, (rule) => rule.name),
    levelsChanged: sortedJson(old.levels) !== sortedJson(after.levels),
    resources: diffNamed(old.resources, after.resources, (resource: ResourceFile) => resource.id),
  }
}

function diffNamed<T>(before: readonly T[], after: readonly T[], name: (item: T) => string): Names {
  const old = new Map(before.map((item) => [name(item), sortedJson(item)]))
  const now = new Map(after.map((item) => [name(item), sortedJson(item)]))
  return {
    added: [...now.keys()].filter((key) => !old.has(key)),
    removed: [...old.keys()].filter((key) => !now.has(key)),
    changed: [...now].filter(([key, text]) => old.has(key) && old.get(key) !== text).map(([key]) => key),
  }
}
