import { dirname, resolve } from 'node:path'
import type { Kinds } from '../catalog/kind.ts'
import type { Config, ConfigCheck, ConfigProblem, LoadedConfig } from './config.ts'
import { crossChecks } from './cross-checks.ts'
import { checkFiles } from './file-checks.ts'
import type { Finding } from './finding.ts'
import { formatPath, type Path, parsePath } from './path.ts'
import { type Env, readReferences } from './read-references.ts'
import { readText } from './read-text.ts'
import { type Located, locate, readYaml } from './read-yaml.ts'
import { findReferences, hide, substitute } from './references.ts'
import { resolveConfig } from './resolve.ts'
import { type ConfigFile, configSchema } from './schema.ts'
import { type Mistake, type Show, validate } from './validate.ts'

export type { Env } from './read-references.ts'

const maxFileBytes = 1_000_000

/** Sections that must be valid before the checks of features ({@link ConfigCheck}) run. */
const featureSections = ['aws', 'resources', 'levels'] as const

/** Replaces required sections that have problems of their own, so that the others can be checked. */
const placeholders = {
  version: 1,
  server: { public_url: 'https://placeholder.invalid' },
  oidc: { issuer: 'https://placeholder.invalid', client_id: 'placeholder' },
} as const

export interface LoadOptions {
  readonly env: Env
  readonly kinds: Kinds
  readonly checks?: readonly ConfigCheck[]
  readonly now?: number
}

/**
 * Reads, validates and resolves the configuration; every problem at once, with its line.
 * @param options.kinds of resources, from which listeners, attributes and levels follow
 * @param options.checks of features, over `aws`, `resources`, `levels` and `access`; they run when all but the last are well-formed
 * @param options.now epoch milliseconds, for the dates of certificates
 */
export async function loadConfig(file: string, options: LoadOptions): Promise<LoadedConfig> {
  const path = resolve(file)
  const source = await readText(path, maxFileBytes)
  if (!source.ok) return { ok: false, problems: [unreadable(path, source.why)] }
  const yaml = readYaml(source.text)
  if (!yaml.ok) return yaml
  const { found, mistakes } = await readReferences(findReferences(yaml.root.value), options.env, dirname(path))
  const report: Report = (mistake) => toProblem(yaml.root, found, mistake)
  const value = substitute(yaml.root.value, found)
  const wrong = [...mistakes, ...mistakesOf(value, mistakes, options.kinds, (at, got) => show(yaml.root, at, got))]
  if (wrong.some((mistake) => mistake.path.length === 0)) return { ok: false, problems: wrong.map(report) }
  const broken = new Set(wrong.map((mistake) => String(mistake.path[0])))
  const usable = usableSections(value as ConfigFile, broken)
  const config = resolveConfig(usable, path, dirname(path), options.kinds)
  const findings = [...(await findAll(usable, config, broken, options)), ...literalSecrets(yaml.root)]
  return answer(config, wrong.map(report), findings, report)
}

type Report = (mistake: Mistake) => ConfigProblem

function unreadable(path: string, why: string): ConfigProblem {
  const fix = 'give the path of a configuration file that the daemon can read'
  return { path: '', line: 1, column: 1, message: `${path} ${why}`, fix }
}

/** What the schema says, except of values whose reference could not be read. */
function mistakesOf(value: unknown, unread: readonly Mistake[], kinds: Kinds, show: Show): Mistake[] {
  const known = new Set(unread.map((mistake) => formatPath(mistake.path)))
  return validate(configSchema(kinds), value, show).filter((mistake) => !known.has(formatPath(mistake.path)))
}

/** A value as it was typed; values of references are named, never shown. */
function show(root: Located, path: Path, value: unknown): string {
  if (value === null || value === undefined) return 'nothing'
  if (typeof value === 'object') return Array.isArray(value) ? 'a list' : 'a mapping'
  const typed = locate(root, path)
  if (typeof typed.value !== 'string') return typed.source ?? String(value)
  if (findReferences(typed.value).length > 0) return `the value of ${cut(typed.value)}`
  return JSON.stringify(cut(typed.value.replace(/\/\/[^/@\s]*@/, '//…@')))
}

function cut(text: string): string {
  return text.length > 60 ? `${text.slice(0, 60)}…` : text
}

function usableSections(value: ConfigFile, broken: ReadonlySet<string>): ConfigFile {
  return { ...placeholders, ...Object.fromEntries(Object.entries(value).filter(([name]) => !broken.has(name))) }
}

async function findAll(
  file: ConfigFile,
  config: Config,
  broken: ReadonlySet<string>,
  options: LoadOptions,
): Promise<Finding[]> {
  const whole = (sections: readonly string[]) => !sections.some((section) => broken.has(section))
  const crossed = crossChecks
    .filter(({ reads }) => whole(reads))
    .flatMap(({ find }) => find(file, config, options.kinds))
  const files = await checkFiles(file, config, options.kinds, options.now ?? Date.now())
  const checked = whole(featureSections) ? (options.checks ?? []).map((check) => check(config)) : []
  return [
    ...crossed,
    ...files,
    ...checked.flatMap(({ problems }) => problems),
    ...(broken.has('access') ? [] : checked.flatMap(({ warnings }) => warnings.map(toWarning))),
  ]
}

function toWarning(finding: Finding): Finding {
  return { ...finding, warning: true }
}

const secrets = [
  { section: 'oidc', name: 'client_secret', variable: 'OIDC_SECRET' },
  { section: 'store', name: 'password', variable: 'STORE_PASSWORD' },
] as const

/** Warns about a secret typed into a file that is reviewed in git. */
function literalSecrets(root: Located): Finding[] {
  return secrets.flatMap(({ section, name, variable }) => {
    const { value } = locate(root, [section, name])
    if (typeof value !== 'string' || findReferences(value).length > 0) return []
    const fix = `write \${env:${variable}} or \${file:PATH}`
    return [{ path: `${section}.${name}`, message: 'the secret is written in the file', fix, warning: true as const }]
  })
}

function answer(config: Config, wrong: ConfigProblem[], findings: Finding[], report: Report): LoadedConfig {
  const place = ({ path, message, fix }: Finding) => report({ path: parsePath(path), at: 'value', message, fix })
  const problems = [...wrong, ...findings.filter((one) => !one.warning).map(place)].sort(byPlace)
  const warnings = findings.filter((one) => one.warning).map(place)
  return problems.length > 0 ? { ok: false, problems } : { ok: true, config, warnings: warnings.sort(byPlace) }
}

/** @param found values of references, which are removed from every message */
function toProblem(root: Located, found: ReadonlyMap<string, string>, mistake: Mistake): ConfigProblem {
  const { line, column } = positionOf(root, mistake.path, mistake.at)
  const [message, fix] = [hide(mistake.message, found), hide(mistake.fix, found)]
  return { path: formatPath(mistake.path), line, column, message, fix }
}

/** Of the value; of the key when that is what is wrong, or when there is nothing behind it. */
function positionOf(root: Located, path: Path, at: Mistake['at']) {
  const found = locate(root, path)
  return at === 'key' || found.value === null ? (found.keyAt ?? found.at) : found.at
}

function byPlace(a: ConfigProblem, b: ConfigProblem): number {
  return a.line - b.line || a.column - b.column
}
