import { type ChildProcess, spawn } from 'node:child_process'
import { createWriteStream, mkdirSync } from 'node:fs'
import path from 'node:path'
import { createInterface } from 'node:readline'

export interface FileResult {
  readonly file: string
  readonly isOk: boolean
  readonly ms: number
  /** Assertions. */
  readonly pass: number
  readonly fail: number
  /** Each assertion that failed, with its diagnosis. */
  readonly failures: readonly string[]
  /** Why something in it, or all of it, did not run. */
  readonly skipped: readonly string[]
}

export interface RunOptions {
  /** At once. */
  readonly jobs: number
  readonly env: NodeJS.ProcessEnv
  /** What the files print is kept there. */
  readonly results: string
  limitMs(file: string): number
  onResult(result: FileResult): void
}

/** tap ends a test that takes too long; a process that does not even do that is killed. */
const killAfterMs = 30_000

/**
 * Runs each file in a process of its own, as `node FILE` does. tap's runner would hook every module that a file loads, which costs
 * as much as all else that a short file does.
 */
export async function runFiles(files: readonly string[], options: RunOptions): Promise<void> {
  const queue = [...files]
  const running = new Set<ChildProcess>()
  const stop = () => {
    for (const child of running) child.kill('SIGKILL')
  }
  process.once('exit', stop)
  const work = async (_: unknown, lane: number) => {
    for (let file = queue.shift(); file !== undefined; file = queue.shift())
      options.onResult(await runFile(file, lane, running, options))
  }
  await Promise.all(Array.from({ length: options.jobs }, work))
  process.off('exit', stop)
}

async function runFile(
  file: string,
  lane: number,
  running: Set<ChildProcess>,
  { env, results, limitMs }: RunOptions,
): Promise<FileResult> {
  const limit = limitMs(file)
  const kept = path.join(results, `${file}.tap`)
  mkdirSync(path.dirname(kept), { recursive: true })
  const output = createWriteStream(kept)
  const since = performance.now()
  const child = spawn(process.execPath, ['--no-enable-source-maps', file], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...env, TAP_TIMEOUT: String(limit / 1000), TAP_JOB_ID: String(lane) },
    timeout: limit + killAfterMs,
    killSignal: 'SIGKILL',
  })
  running.add(child)
  const exited = new Promise<string>((resolve) =>
    child.once('exit', (code, signal) => resolve(signal ?? (code === 0 ? '' : `exit code ${code}`))),
  )
  child.stdout.pipe(output)
  const read = new TapOutput()
  for await (const line of createInterface({ input: child.stdout })) read.line(line)
  const problem = await exited
  running.delete(child)
  const { failures, skipped, pass } = read
  if (problem && failures.length === 0) failures.push(`not ok - ${problem}`)
  const fail = Math.max(read.fail, failures.length > 0 ? 1 : 0)
  const isOk = problem === '' && fail === 0
  return { file, isOk, ms: performance.now() - since, pass, fail, failures, skipped }
}

/** What a file prints, line by line. */
class TapOutput {
  pass = 0
  fail = 0
  readonly failures: string[] = []
  readonly skipped: string[] = []
  /** Indentation of the failure whose diagnosis is read: it is in YAML, deeper than the line itself. */
  #failure = -1

  line(line: string): void {
    const [, indent = '', not, name = ''] = /^( *)(not )?ok \d+ - (.*)$/.exec(line) ?? []
    const total = /^# \{ total: \d+(?:, pass: (\d+))?(?:, fail: (\d+))?/.exec(line)
    if (total) {
      this.pass = Number(total[1] ?? 0)
      this.fail = Number(total[2] ?? 0)
    } else if (not) {
      this.#failure = indent.length
      this.failures.push(`${indent}${line.trim()}`)
    } else if (this.#failure >= 0 && /^ *(not ok|ok|# )/.test(line)) this.#failure = -1
    else if (this.#failure >= 0) this.failures.push(`  ${line.slice(this.#failure)}`)
    const reason = /# SKIP (.*)$/.exec(name)?.[1] ?? /^1\.\.0 # (.*)$/.exec(line)?.[1]
    if (reason) this.skipped.push(reason)
  }
}
