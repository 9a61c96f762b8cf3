import { digestOf } from '../../audit/digest.ts'
import { LiveCatalog } from '../../catalog/catalog.ts'
import { type Kinds, kindNamed } from '../../catalog/kind.ts'
import type { CatalogEntry, Resource } from '../../catalog/resource.ts'
import type { Config, ConfigCheck } from '../../config/config.ts'
import type { RuleFile } from '../../config/schema.ts'
import { checkSelector, warnWithoutInventory } from './check-selector.ts'
import type { Findings, RuleProblem } from './findings.ts'
import { checkFit, checkNoLogins, checkTagClaims, loadLevelSet } from './load-levels.ts'
import { loadResources, type ResourcesConfig } from './load-resources.ts'
import { isSlowPattern } from './pattern-probe.ts'
import {
  durationMs,
  formatSelector,
  isGiven,
  levelsOf,
  parseRule,
  type Rule,
  type RuleSet,
  selects,
  wholePattern,
} from './rule.ts'

export type LoadedRules =
  | {
      readonly ok: true
      readonly rules: RuleSet
      readonly catalog: LiveCatalog
      readonly warnings: readonly RuleProblem[]
    }
  | { readonly ok: false; readonly problems: readonly RuleProblem[]; readonly warnings: readonly RuleProblem[] }

type RulesConfig = Pick<Config, 'levels' | 'access'> & {
  readonly oidc: Pick<Config['oidc'], 'loginClaim' | 'tagClaims'>
  readonly inventory: Pick<Config['inventory'], 'organization' | 'import'>
} & ResourcesConfig

/** Longest grant that a rule may allow: recovery reads the audit log back that far. */
export const longestGrantMs = 365 * 86_400_000

/**
 * Builds rules, levels and catalog from the configuration, or reports everything that is wrong with them. What is discovered comes
 * into the catalog later: whatever it is, the file is not refused because of it.
 */
export function loadRules(config: RulesConfig, kinds: Kinds): LoadedRules {
  const findings: Findings = { problems: [], warnings: [] }
  const files = new Map(config.resources.map((file) => [file.id, file]))
  const written = loadResources(config, kinds, findings).flatMap((loaded) => {
    const file = files.get(loaded.entry.id)
    return file ? [{ ...loaded, file }] : []
  })
  const catalog = new LiveCatalog(kinds, written)
  const entries = catalog.all
  const known = { resources: entries, isImporting: config.inventory.import !== null }
  const levelSets = config.levels.map((file, i) => loadLevelSet(file, `levels[${i}]`, known, kinds, findings))
  if (!config.inventory.organization) warnOfPlaces(config, findings)
  const rules = config.access.flatMap((file, i) => loadRule(file, `access[${i}]`, kinds, findings) ?? [])
  const digest = digestOf({
    levels: config.levels,
    access: config.access,
    resources: config.resources,
    ...inventoryOf(config),
  })
  const ruleSet: RuleSet = { digest, rules, levelSets }
  if (config.oidc.loginClaim === null) checkNoLogins(levelSets, kinds, findings)
  checkTagClaims(levelSets, config.oidc.tagClaims, kinds, findings)
  checkNames(config.access, findings)
  checkRuleLevels(
    config,
    ruleSet,
    entries.filter(({ kind }) => kindNamed(kinds, kind)?.level),
    findings,
  )
  checkOwnMembers(config.access, ruleSet, entries, kinds, findings)
  const { problems, warnings } = findings
  // A target that its kind could not read can't be checked further.
  if (problems.length === 0) checkFit(ruleSet, entries, kinds, findings)
  if (problems.length > 0) return { ok: false, problems, warnings }
  return { ok: true, rules: ruleSet, catalog, warnings }
}

function warnOfPlaces({ levels, access }: RulesConfig, findings: Findings): void {
  for (const [i, file] of levels.entries()) warnWithoutInventory(file.for, `levels[${i}].for`, findings)
  for (const [i, file] of access.entries()) warnWithoutInventory(file.what, `access[${i}].what`, findings)
}

/** Daemons of one store that read the organization, and others, have different rules. */
function inventoryOf({ inventory: { organization, import: taken } }: RulesConfig) {
  return organization || taken !== null
    ? { inventory: { organization, ...(taken === null ? {} : { import: taken }) } }
    : {}
}

/** For `config check`, which reports what features find together with what the schema finds. */
export function rulesCheck(kinds: Kinds): ConfigCheck {
  return (config) => {
    const loaded = loadRules(config, kinds)
    return { problems: loaded.ok ? [] : loaded.problems, warnings: loaded.warnings }
  }
}

function loadRule(file: RuleFile, path: string, kinds: Kinds, findings: Findings): Rule | undefined {
  const before = findings.problems.length
  checkSelector(file.what, `${path}.what`, kinds, findings)
  checkWho(file, path, findings)
  checkDurations(file, path, findings)
  checkTicket(file, path, findings)
  checkStages(file, path, findings)
  if (file.what.tags && !file.what.accounts && !file.what.ids)
    findings.warnings.push({
      path: `${path}.what`,
      message: `selects by tags in any account, and other people can write tags: ${formatSelector(file.what)}`,
      fix: 'restrict it with accounts: […]',
    })
  return findings.problems.length === before ? parseRule(file) : undefined
}

function checkWho(file: RuleFile, path: string, findings: Findings): void {
  const { groups = [], emails = [], principals = [] } = file.who
  if (groups.length + emails.length + principals.length > 0) return
  findings.problems.push({
    path: `${path}.who`,
    message: 'matches no one',
    fix: 'name groups, emails or principals',
  })
}

function checkDurations(file: RuleFile, path: string, findings: Findings): void {
  const members = { max_duration: file.max_duration, connect_token_max: file.connect_token_max }
  for (const [member, text] of Object.entries(members)) {
    const ms = text === undefined ? 1 : durationMs(text)
    if (ms > 0 && ms <= longestGrantMs) continue
    findings.problems.push({ path: `${path}.${member}`, message: `expected 1s to 365d, got ${text}`, fix: 'e.g. 8h' })
  }
}

function checkTicket(file: RuleFile, path: string, findings: Findings): void {
  const pattern = file.require?.ticket
  if (pattern === undefined) return
  const report = (message: string, fix: string) =>
    findings.problems.push({ path: `${path}.require.ticket`, message, fix })
  try {
    if (isSlowPattern(wholePattern(pattern)))
      report('this pattern can backtrack exponentially', 'avoid nested repetition such as (a+)+')
  } catch (error) {
    report(`not a regular expression: ${(error as Error).message}`, 'e.g. "[A-Z]+-[0-9]+"')
  }
}

function checkStages(file: RuleFile, path: string, findings: Findings): void {
  file.approval?.stages.forEach((stage, i) => {
    const { count = 1 } = stage
    if (count <= stage.any_of.length || stage.any_of.some((term) => term.startsWith('group:'))) return
    findings.problems.push({
      path: `${path}.approval.stages[${i}].count`,
      message: `${count} different people are needed, but only ${stage.any_of.length} are named`,
      fix: 'lower the count, or name a group',
    })
  })
}

function checkNames(files: readonly RuleFile[], findings: Findings): void {
  files.forEach((file, i) => {
    const first = files.findIndex((other) => other.name === file.name)
    if (first === i) return
    const message = `"${file.name}" is already the name of access[${first}]`
    findings.problems.push({ path: `access[${i}].name`, message, fix: 'choose a unique name' })
  })
}

/** A level that no matching resource has can never be requested: most likely a typo. */
function checkRuleLevels(
  { access: files, inventory }: Pick<RulesConfig, 'access' | 'inventory'>,
  rules: RuleSet,
  resources: readonly Resource[],
  findings: Findings,
): void {
  files.forEach((file, i) => {
    const matching = resources.filter((resource) => selects(file.what, resource))
    if (matching.length === 0 && !inventory.organization && inventory.import === null)
      findings.warnings.push({
        path: `access[${i}].what`,
        message: `matches no resource of the catalog: ${formatSelector(file.what)}`,
        fix: 'compare with `sallyport ls`',
      })
    const known = matching.length > 0 ? matching.flatMap((r) => [...levelsOf(rules, r).keys()]) : allLevels(rules)
    file.levels.forEach((level, j) => {
      if (known.includes(level)) return
      const names = [...new Set(known)].join(', ') || 'none'
      findings.problems.push({
        path: `access[${i}].levels[${j}]`,
        message: `level "${level}" is not defined for any resource that this rule matches; defined: ${names}`,
        fix: 'define it under levels, or correct the name',
      })
    })
  })
}

/** Who is in a group because of the rules must not have rights because of the group: each access would give the next. */
function checkOwnMembers(
  files: readonly RuleFile[],
  ruleSet: RuleSet,
  entries: readonly CatalogEntry[],
  kinds: Kinds,
  findings: Findings,
): void {
  const given = new Map(
    entries.flatMap((entry) =>
      isGiven(ruleSet, entry)
        ? (kindNamed(kinds, entry.kind)?.givesGroups?.(entry.target) ?? []).map((group) => [group, entry.id] as const)
        : [],
    ),
  )
  files.forEach((file, i) => {
    const report = (path: string, group: string) => {
      const id = given.get(group)
      if (id === undefined) return
      const message = `the rules give membership in ${group} itself (${id}), so its members cannot have rights by it`
      findings.problems.push({
        path: `access[${i}].${path}`,
        message,
        fix: 'name another group, or give no membership',
      })
    }
    file.who.groups?.forEach((group, j) => {
      report(`who.groups[${j}]`, group)
    })
    file.approval?.stages.forEach(({ any_of: terms }, j) => {
      for (const term of terms) report(`approval.stages[${j}].any_of`, term.replace(/^group:/, ''))
    })
  })
}

function allLevels(rules: RuleSet): string[] {
  return rules.levelSets.flatMap((set) => [...set.levels.keys()])
}
