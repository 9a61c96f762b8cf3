/**
 * `npm test [-- FILES, FOLDERS AND TAP_ARGUMENTS]`: runs the suite, and closes with a line that counts assertions: `N passed, N failed`.
 * Before it: what could not run for want of a program, files that take long, and, with `--coverage` or in `.ci/long`, the
 * lines of `src/` and `proxy/` that ran; when the whole suite ran, fewer than the floor is a failure.
 */
import { spawn } from 'node:child_process'
import { existsSync, globSync, readFileSync, statSync } from 'node:fs'
import { createRequire } from 'node:module'
import path from 'node:path'
import { createInterface } from 'node:readline'
import { bundleProgram } from './bundle.ts'

/** Percent of lines: what the suite without test/e2e reached when this was last set, less one. */
const coverageFloor = 92

const root = path.resolve(import.meta.dirname, '..')
const require = createRequire(import.meta.url)
const tap = require.resolve('tap').replace(/\/dist\/.*$/, '/dist/esm/run.mjs')

const given = process.argv.slice(2).flatMap((argument) => (argument === '--coverage' ? [] : filesOf(argument)))
const isShown = process.argv.includes('--coverage')
/** Measuring costs a quarter more CPU, and everything is compiled anew in each process, so that it is not always on. */
const isCovered = isShown || process.env.SALLYPORT_COVERAGE === 'true'
const isWhole = given.every((argument) => argument.startsWith('-'))

const coverage = ['--no-disable-coverage', '--coverage-report=json-summary']
/** Not where the lines of the sources are counted. */
const built = isWhole && !isCovered ? { SALLYPORT_PROGRAM: await bundleProgram() } : {}
const child = spawn(process.execPath, [tap, '--reporter=tap', ...(isCovered ? coverage : []), ...given], {
  stdio: ['ignore', 'pipe', 'inherit'],
  // Most of what a test waits for is a daemon or a command that loads the program.
  env: { NODE_COMPILE_CACHE: path.join(root, '.tap/compile-cache'), ...built, ...process.env },
})
const counts = { pass: 0, fail: 0 }
const skipped = new Set<string>()
const slow: string[] = []
let file = ''
/** Lines of a failure: its diagnosis is in YAML, deeper than the line itself. */
let failure = -1

for await (const line of createInterface({ input: child.stdout })) {
  const [, indent = '', not, name = ''] = /^( *)(not )?ok \d+ - (.*)$/.exec(line) ?? []
  const subtest = /^# Subtest: (.*)$/.exec(line)?.[1]
  if (subtest !== undefined) file = subtest
  const total = /^# \{ total: \d+(?:, pass: (\d+))?(?:, fail: (\d+))?/.exec(line)
  if (total) {
    counts.pass = Number(total[1] ?? 0)
    counts.fail = Number(total[2] ?? 0)
  } else if (not) {
    failure = indent.length
    process.stdout.write(`${indent === '' ? '' : `${file}: `}${line.trim()}\n`)
  } else if (failure >= 0 && /^ *(not ok|ok|# )/.test(line)) failure = -1
  else if (failure >= 0) process.stdout.write(`  ${line.slice(failure)}\n`)
  const reason = /# SKIP (.*)$/.exec(name)?.[1]
  if (reason) skipped.add(reason)
  const [, ran, ms] = (indent === '' && /^(\S+) # time=([\d.]+)ms$/.exec(name)) || []
  if (ran === undefined) continue
  if (!not) process.stdout.write(`${line}\n`)
  if (Number(ms) > limitMs(ran) / 3) slow.push(`${ran}: ${seconds(Number(ms))} of ${seconds(limitMs(ran))}`)
}
const code = await new Promise<number>((resolve) => child.once('close', (exit) => resolve(exit ?? 1)))
for (const reason of skipped) process.stdout.write(`skipped: ${reason}\n`)
for (const one of slow) process.stdout.write(`slow, above a third of its time limit: ${one}\n`)
const isCoveredEnough = !isCovered || reportCoverage()
if (isCovered && isWhole) counts[isCoveredEnough ? 'pass' : 'fail'] += 1
process.stdout.write(`\n${counts.pass} passed, ${counts.fail} failed\n`)
process.exitCode = code === 0 && isWhole && !isCoveredEnough ? 1 : code

/** Of a folder its test files, which tap does not look for by itself. */
function filesOf(argument: string): string[] {
  if (!statSync(argument, { throwIfNoEntry: false })?.isDirectory()) return [argument]
  return globSync(path.join(argument, '**/*.test.ts')).sort()
}

/** Of a test file: what it sets itself, else what `.taprc` says. */
function limitMs(name: string): number {
  const own = /^t\.setTimeout\(([\d_]+)\)/m.exec(read(name))?.[1]
  if (own !== undefined) return Number(own.replaceAll('_', ''))
  return Number(/^timeout: (\d+)/m.exec(read('.taprc'))?.[1]) * 1000
}

function reportCoverage(): boolean {
  const summary = path.join(root, '.tap/report/coverage-summary.json')
  if (!existsSync(summary)) return false
  const byFile = JSON.parse(readFileSync(summary, 'utf8')) as Record<string, { lines: Lines }>
  const { total, ...files } = byFile
  if (!total) return false
  if (isShown) for (const [name, { lines }] of Object.entries(files)) tell(path.relative(root, name), lines)
  const floor = isWhole ? `, at least ${coverageFloor} wanted` : ''
  process.stdout.write(`coverage: ${total.lines.pct} % of ${total.lines.total} lines${floor}\n`)
  return total.lines.pct >= coverageFloor
}

interface Lines {
  readonly total: number
  readonly covered: number
  readonly pct: number
}

function tell(name: string, { total, covered, pct }: Lines): void {
  if (covered < total) process.stdout.write(`${String(pct).padStart(6)} %  ${name}\n`)
}

function read(name: string): string {
  return readFileSync(path.join(root, name), 'utf8')
}

function seconds(ms: number): string {
  return `${Math.round(ms / 1000)} s`
}
