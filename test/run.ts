/**
 * `npm test [-- FILES, FOLDERS AND TAP_ARGUMENTS]`: runs the suite, and closes with a line that counts assertions: `N passed, N failed`.
 * Before it: what could not run for want of a program, files that take long, and, with `--coverage` or in `.ci/long`, the
 * lines of `src/` and `proxy/` that ran; when the whole suite ran, fewer than the floor is a failure.
 */
import { spawn } from 'node:child_process'
import { existsSync, globSync, readFileSync, rmSync, statSync } from 'node:fs'
import { createRequire } from 'node:module'
import path from 'node:path'
import { bundleProgram } from './bundle.ts'
import { isShortRun, longFiles } from './long.ts'
import { type FileResult, runFiles } from './run-files.ts'

/** Percent of lines: what the suite without test/e2e reached when this was last set, less one. */
const coverageFloor = 92

const root = path.resolve(import.meta.dirname, '..')
const isShown = process.argv.includes('--coverage')
/** Measuring costs a quarter more CPU, and everything is compiled anew in each process, so that it is not always on. */
const isCovered = isShown || process.env.SALLYPORT_COVERAGE === 'true'
const given = process.argv.slice(2).filter((argument) => argument !== '--coverage')
const options = given.filter((argument) => argument.startsWith('-'))
const named = given.filter((argument) => !argument.startsWith('-')).flatMap(filesOf)
const isWhole = named.length === 0
/** What takes longest comes first, so that nothing waits for it at the end. */
const files = isWhole ? wholeSuite() : named

/** Not where the lines of the sources are counted. */
const built = isWhole && !isCovered ? { SALLYPORT_PROGRAM: await bundleProgram() } : {}
// Most of what a test waits for is a daemon or a command that loads the program.
const env = { NODE_COMPILE_CACHE: path.join(root, '.tap/compile-cache'), ...built, ...process.env }
process.exitCode = isCovered || options.length > 0 ? await runByTap() : await run()

async function run(): Promise<number> {
  const results = path.join(root, '.tap/test-results')
  rmSync(results, { recursive: true, force: true })
  const counts = { pass: 0, fail: 0 }
  const skipped = new Set<string>()
  const slow: string[] = []
  const onResult = ({ file, isOk, ms, pass, fail, ...found }: FileResult) => {
    counts.pass += pass
    counts.fail += fail
    for (const reason of found.skipped) skipped.add(reason)
    process.stdout.write(`${isOk ? 'ok' : 'not ok'} - ${file} # time=${Math.round(ms)}ms\n`)
    for (const line of found.failures) process.stdout.write(`  ${line}\n`)
    if (ms > limitMs(file) / 3) slow.push(`${file}: ${seconds(ms)} of ${seconds(limitMs(file))}`)
  }
  await runFiles(files, { jobs: setting('jobs'), env, results, limitMs, onResult })
  for (const reason of skipped) process.stdout.write(`skipped: ${reason}\n`)
  for (const one of slow) process.stdout.write(`slow, above a third of its time limit: ${one}\n`)
  process.stdout.write(`\n${counts.pass} passed, ${counts.fail} failed\n`)
  return counts.fail === 0 ? 0 : 1
}

/** With coverage, or an option of tap's own. */
async function runByTap(): Promise<number> {
  const tap = createRequire(import.meta.url)
    .resolve('tap')
    .replace(/\/dist\/.*$/, '/dist/esm/run.mjs')
  const coverage = isCovered ? ['--no-disable-coverage', '--coverage-report=json-summary'] : []
  const child = spawn(process.execPath, [tap, '--reporter=terse', ...coverage, ...options, ...files], {
    stdio: 'inherit',
    env,
  })
  const code = await new Promise<number>((resolve) => child.once('close', (exit) => resolve(exit ?? 1)))
  if (!isCovered || reportCoverage()) return code
  return isWhole ? 1 : code
}

function wholeSuite(): string[] {
  const all = new Set([...filesOf('test/e2e'), ...filesOf('test')])
  const unknown = longFiles.filter((file) => !all.has(file))
  if (unknown.length > 0) throw new Error(`test/long.ts names files that are not there: ${unknown.join(', ')}`)
  if (!isShortRun) return [...all]
  process.stdout.write(`left to .ci/long: ${longFiles.join(', ')}\n`)
  return [...all].filter((file) => !longFiles.includes(file))
}

/** Of a folder its test files, which tap does not look for by itself. */
function filesOf(argument: string): string[] {
  const found = statSync(argument, { throwIfNoEntry: false })
  if (!found) throw new Error(`there is no file or folder ${argument}`)
  if (!found.isDirectory()) return [argument]
  return globSync(path.join(argument, '**/*.test.ts')).sort()
}

/** Of a test file: what it sets itself, else what `.taprc` says. */
function limitMs(name: string): number {
  const own = /^t\.setTimeout\(([\d_]+)\)/m.exec(read(name))?.[1]
  if (own !== undefined) return Number(own.replaceAll('_', ''))
  return setting('timeout') * 1000
}

/** A number of .taprc, which tap reads as well. */
function setting(name: 'jobs' | 'timeout'): number {
  return Number(new RegExp(`^${name}: (\\d+)`, 'm').exec(read('.taprc'))?.[1])
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
