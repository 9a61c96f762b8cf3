import { type Kind, type Kinds, kindNamed } from '../../catalog/kind.ts'
import type { CatalogEntry } from '../../catalog/resource.ts'
import { claimsIn } from '../../catalog/session-tags.ts'
import type { LevelFile } from '../../config/schema.ts'
import { checkSelector } from './check-selector.ts'
import { type Findings, within } from './findings.ts'
import { type LevelSet, levelEntries, levelsOf, parseLevelSet, type RuleSet, type Selector, selects } from './rule.ts'

/**
 * What the levels of one entry mean, to each kind that they are for.
 * @param resources that are written by hand
 * @param isImporting whatever is found may be selected too: what a level means to its kind is read, and refuses no file
 */
export function loadLevelSet(
  file: LevelFile,
  path: string,
  { resources, isImporting }: { readonly resources: readonly CatalogEntry[]; readonly isImporting: boolean },
  kinds: Kinds,
  findings: Findings,
): LevelSet {
  checkSelector(file.for, `${path}.for`, kinds, findings)
  const meant = withLevels(kindsOf(file.for, resources), kinds)
  const besides = isImporting && !file.for.kinds ? kinds.filter((kind) => kind.level && !meant.includes(kind)) : []
  const entries = levelEntries(file)
  if (entries.length === 0)
    findings.problems.push({ path, message: 'defines no levels', fix: 'add one, e.g. readonly: { … }' })
  const parsed = new Map<string, ReadonlyMap<string, unknown>>()
  for (const [name, raw] of entries) {
    if (!/^[a-z0-9][a-z0-9_-]{0,62}$/.test(name)) {
      const fix = 'use lower-case letters, digits, - and _'
      findings.problems.push({ path: `${path}.${name}`, message: `"${name}" is not a valid level name`, fix })
    }
    parsed.set(name, readLevel(raw, `${path}.${name}`, meant, besides, findings))
  }
  if (meant.length === 0 && besides.length === 0)
    findings.warnings.push({
      path: `${path}.for`,
      message: 'matches no resource, so its levels were not checked',
      fix: 'name the kinds they are for',
    })
  return parseLevelSet(file, parsed)
}

/** Kinds that a level must make sense for: those that are pinned, else those of the resources that match. */
function kindsOf(selector: Selector, resources: readonly CatalogEntry[]): string[] {
  const matching = resources.filter((resource) => selects(selector, resource)).map((resource) => resource.kind)
  return [...new Set([...(selector.kinds ?? []), ...matching])]
}

function withLevels(names: readonly string[], kinds: Kinds): Kind[] {
  return names.flatMap((name) => {
    const kind = kindNamed(kinds, name)
    return kind?.level ? [kind] : []
  })
}

/** @param besides kinds to which it need not mean anything: then none of theirs has it */
function readLevel(
  raw: unknown,
  path: string,
  kinds: Kinds,
  besides: Kinds,
  findings: Findings,
): ReadonlyMap<string, unknown> {
  const parsed = new Map<string, unknown>()
  for (const kind of kinds) {
    const level = kind.level?.read(raw)
    if (level?.ok) {
      parsed.set(kind.name, level.value)
      findings.warnings.push(...(kind.exceeds?.(level.value) ?? []).map((problem) => within(path, problem)))
    }
    for (const problem of level && !level.ok ? level.problems : []) {
      const found = within(path, problem)
      if (!findings.problems.some((other) => other.path === found.path && other.message === found.message))
        findings.problems.push(found)
    }
  }
  for (const kind of besides) {
    const level = kind.level?.read(raw)
    if (level?.ok) parsed.set(kind.name, level.value)
  }
  return parsed
}

/** Where nobody has a login name, a level that holds one could be given to no one. */
export function checkNoLogins(sets: readonly LevelSet[], kinds: Kinds, findings: Findings): void {
  sets.forEach(({ levels }, i) => {
    for (const [name, { parsed }] of levels) {
      const [member] = [...parsed].flatMap(([kind, level]) => kindNamed(kinds, kind)?.personal?.memberOf(level) ?? [])
      if (member === undefined) continue
      findings.problems.push({
        path: `levels[${i}].${name}.${member}`,
        message: '{login} needs a claim to take the login name of a person from, and oidc.login_claim is not set',
        fix: 'set oidc.login_claim to a claim of the ID token that is unique and that people cannot change',
      })
    }
  })
}

/** A tag of a claim that is not kept would never have a value. */
export function checkTagClaims(
  sets: readonly LevelSet[],
  known: readonly string[],
  kinds: Kinds,
  findings: Findings,
): void {
  sets.forEach(({ levels }, i) => {
    for (const [name, { parsed }] of levels) {
      const claims = [...parsed].flatMap(([kind, level]) =>
        claimsIn(kindNamed(kinds, kind)?.tagged?.templatesOf(level) ?? {}),
      )
      const missing = claims.find((claim) => !known.includes(claim))
      if (missing !== undefined)
        findings.problems.push({
          path: `levels[${i}].${name}.session_tags`,
          message: `{claim:${missing}} needs the claim of the ID token, and oidc.tag_claims does not list it`,
          fix: `add ${missing} to oidc.tag_claims; people must sign in again`,
        })
    }
  })
}

/** A level that its kind understands may still not work on one of the resources it is for. */
export function checkFit(rules: RuleSet, entries: readonly CatalogEntry[], kinds: Kinds, findings: Findings): void {
  for (const entry of entries) {
    const set = rules.levelSets.findIndex(({ for: selector }) => selects(selector, entry))
    const kind = kindNamed(kinds, entry.kind)
    for (const [name, { parsed }] of levelsOf(rules, entry)) {
      const problems = parsed.has(entry.kind) ? kind?.fits?.(parsed.get(entry.kind), entry.target) : undefined
      for (const problem of problems ?? []) {
        const found = within(`levels[${set}].${name}`, problem)
        findings.problems.push({ ...found, message: `on ${entry.id}: ${found.message}` })
      }
    }
  }
}
