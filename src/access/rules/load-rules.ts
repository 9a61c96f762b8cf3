import { digestOf } from '../../audit/digest.ts'
import { type Catalog, createCatalog } from '../../catalog/catalog.ts'
import type { Kind } from '../../catalog/kind.ts'
import type { Resource } from '../../catalog/resource.ts'
import { parseResourceId, toResource } from '../../catalog/resource-id.ts'
import type { Config, ConfigCheck } from '../../config/config.ts'
import type { LevelFile, RuleFile } from '../../config/schema.ts'
import { isSlowPattern } from './pattern-probe.ts'
import {
  durationMs,
  formatSelector,
  type LevelSet,
  levelEntries,
  levelsOf,
  parseLevelSet,
  parseRule,
  type Rule,
  type RuleSet,
  type Selector,
  selects,
  wholePattern,
} from './rule.ts'

export type Kinds = ReadonlyMap<string, Kind>

/** One thing wrong with rules, levels or resources. */
export interface RuleProblem {
  readonly path: string
  readonly message: string
  readonly fix: string
}

export type LoadedRules =
  | { readonly ok: true; readonly rules: RuleSet; readonly catalog: Catalog; readonly warnings: readonly RuleProblem[] }
  | { readonly ok: false; readonly problems: readonly RuleProblem[]; readonly warnings: readonly RuleProblem[] }

type RulesConfig = Pick<Config, 'resources' | 'levels' | 'access'> & { readonly aws: Pick<Config['aws'], 'accounts'> }

/** Longest grant that a rule may allow: recovery reads the audit log back that far. */
export const longestGrantMs = 365 * 86_400_000

/** Collects what is wrong, so that everything is reported at once. */
interface Findings {
  readonly problems: RuleProblem[]
  readonly warnings: RuleProblem[]
}

/** Makes rules, levels and catalog of the configuration, or says everything that is wrong with them. */
export function loadRules(config: RulesConfig, kinds: Kinds): LoadedRules {
  const findings: Findings = { problems: [], warnings: [] }
  const resources = loadResources(config, kinds, findings)
  const levelSets = config.levels.map((file, i) => loadLevelSet(file, `levels[${i}]`, resources, kinds, findings))
  const rules = config.access.flatMap((file, i) => loadRule(file, `access[${i}]`, kinds, findings) ?? [])
  const digest = digestOf({ levels: config.levels, access: config.access, resources: config.resources })
  const ruleSet: RuleSet = { digest, rules, levelSets }
  checkNames(config.access, findings)
  checkRuleLevels(config.access, ruleSet, resources, findings)
  const { problems, warnings } = findings
  if (problems.length > 0) return { ok: false, problems, warnings }
  return { ok: true, rules: ruleSet, catalog: createCatalog(resources), warnings }
}

/** For `config check`, which reports what features find together with what the schema finds. */
export function rulesCheck(kinds: Kinds): ConfigCheck {
  return (config) => {
    const loaded = loadRules(config, kinds)
    return { problems: loaded.ok ? [] : loaded.problems, warnings: loaded.warnings }
  }
}

function loadResources(config: RulesConfig, kinds: Kinds, findings: Findings): Resource[] {
  const seen = new Map<string, number>()
  const accounts = Object.keys(config.aws.accounts)
  return config.resources.flatMap((file, i) => {
    const path = `resources[${i}]`
    const report = (message: string, fix: string) => findings.problems.push({ path: `${path}.id`, message, fix })
    const first = seen.get(file.id)
    if (first !== undefined) report(`"${file.id}" is already resources[${first}]`, 'remove one of the two')
    seen.set(file.id, first ?? i)
    const id = parseResourceId(file.id)
    if ('problem' in id) {
      report(id.problem, 'write the full id')
      return []
    }
    if (accounts.length > 0 && id.account !== null && !accounts.includes(id.account))
      report(`account ${id.account} is not registered`, 'add it to aws.accounts')
    const kind = kinds.get(id.kind)
    if (!kind) {
      report(`unknown kind "${id.kind}"`, `use one of ${[...kinds.keys()].join(', ')}`)
      return []
    }
    const resource = toResource(file, id)
    const target = kind.parseTarget(resource)
    if (!target.ok) for (const problem of target.problems) findings.problems.push(within(path, problem))
    return [resource]
  })
}

function within(path: string, problem: { path: string; message: string }): RuleProblem {
  return {
    path: problem.path ? `${path}.${problem.path}` : path,
    message: problem.message,
    fix: 'see `sallyport config reference` for what belongs here',
  }
}

function loadLevelSet(
  file: LevelFile,
  path: string,
  resources: readonly Resource[],
  kinds: Kinds,
  findings: Findings,
): LevelSet {
  checkSelector(file.for, `${path}.for`, kinds, findings)
  const names = kindsOf(file.for, resources).filter((name) => kinds.has(name))
  const entries = levelEntries(file)
  if (entries.length === 0)
    findings.problems.push({ path, message: 'no level is defined here', fix: 'add one, e.g. readonly: { … }' })
  const parsed = new Map<string, ReadonlyMap<string, unknown>>()
  for (const [name, raw] of entries) {
    if (!/^[a-z0-9][a-z0-9_-]{0,62}$/.test(name)) {
      const fix = 'use lower-case letters, digits, - and _'
      findings.problems.push({ path: `${path}.${name}`, message: `"${name}" can't name a level`, fix })
    }
    parsed.set(name, parseLevel(raw, `${path}.${name}`, names, kinds, findings))
  }
  if (names.length === 0)
    findings.warnings.push({
      path: `${path}.for`,
      message: 'matches no resource, so its levels were not checked',
      fix: 'name the kinds they are for',
    })
  return parseLevelSet(file, parsed)
}

/** Kinds that a level must make sense for: those that are pinned, else those of the resources that match. */
function kindsOf(selector: Selector, resources: readonly Resource[]): string[] {
  const matching = resources.filter((resource) => selects(selector, resource)).map((resource) => resource.kind)
  return [...new Set([...(selector.kinds ?? []), ...matching])]
}

function parseLevel(
  raw: unknown,
  path: string,
  names: readonly string[],
  kinds: Kinds,
  findings: Findings,
): ReadonlyMap<string, unknown> {
  const parsed = new Map<string, unknown>()
  for (const name of names) {
    const level = kinds.get(name)?.parseLevel(raw)
    if (level?.ok) parsed.set(name, level.value)
    for (const problem of level && !level.ok ? level.problems : []) {
      const found = within(path, problem)
      if (!findings.problems.some((other) => other.path === found.path && other.message === found.message))
        findings.problems.push(found)
    }
  }
  return parsed
}

function checkSelector(selector: Selector, path: string, kinds: Kinds, findings: Findings): void {
  const { ids, accounts, kinds: named, regions, tags } = selector
  const report = (at: string, message: string, fix: string) =>
    findings.problems.push({ path: at ? `${path}.${at}` : path, message, fix })
  if (!ids && !accounts && !named && !regions && !tags)
    report('', 'selects nothing', 'name ids, accounts, kinds, regions or tags')
  for (const [member, names] of Object.entries({ ids, accounts, kinds: named, regions }))
    if (names?.length === 0) report(member, 'an empty list matches nothing', 'name some, or leave it out')
  if (tags && Object.keys(tags).length === 0) report('tags', 'no tag is named', 'name some, or leave it out')
  named?.forEach((name, i) => {
    if (!kinds.has(name)) report(`kinds[${i}]`, `unknown kind "${name}"`, `use one of ${[...kinds.keys()].join(', ')}`)
  })
  accounts?.forEach((account, i) => {
    if (!/^[0-9]{12}$/.test(account))
      report(`accounts[${i}]`, `expected 12 digits, got "${account}"`, 'write the account id, in quotes')
  })
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
      message: `selects by tags, which other people write, in any account: ${formatSelector(file.what)}`,
      fix: 'pin accounts: […]',
    })
  return findings.problems.length === before ? parseRule(file) : undefined
}

function checkWho(file: RuleFile, path: string, findings: Findings): void {
  const { groups = [], emails = [], principals = [] } = file.who
  if (groups.length + emails.length + principals.length > 0) return
  findings.problems.push({
    path: `${path}.who`,
    message: 'matches nobody',
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
      report('this pattern can take for ever on some texts', 'don’t repeat what already repeats, as in (a+)+')
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
      message: `${count} different people are needed, and only ${stage.any_of.length} can be meant`,
      fix: 'lower the count, or name a group',
    })
  })
}

function checkNames(files: readonly RuleFile[], findings: Findings): void {
  files.forEach((file, i) => {
    const first = files.findIndex((other) => other.name === file.name)
    if (first === i) return
    const message = `"${file.name}" is already the name of access[${first}]`
    findings.problems.push({ path: `access[${i}].name`, message, fix: 'give it a name of its own' })
  })
}

/** A level that no matching resource has can never be asked for: most likely a slip of the pen. */
function checkRuleLevels(
  files: readonly RuleFile[],
  rules: RuleSet,
  resources: readonly Resource[],
  findings: Findings,
): void {
  files.forEach((file, i) => {
    const matching = resources.filter((resource) => selects(file.what, resource))
    if (matching.length === 0)
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

function allLevels(rules: RuleSet): string[] {
  return rules.levelSets.flatMap((set) => [...set.levels.keys()])
}
