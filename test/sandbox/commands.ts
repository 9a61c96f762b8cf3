import { type ChildProcess, spawn } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { program } from '../program.ts'
import { waitFor } from '../wait-until.ts'
import type { AccountName } from './oidc/accounts.ts'

const browser = fileURLToPath(new URL('browser.ts', import.meta.url))

/** What a command did. */
export interface Ran {
  /** Exit code; 128 + signal number when a signal ended it. */
  readonly code: number
  readonly stdout: string
  readonly stderr: string
  /** Epoch milliseconds. */
  readonly endedAt: number
}

/** A command that runs on. */
export interface Running {
  readonly child: ChildProcess
  readonly ended: Promise<Ran>
  /** All it printed so far, both streams. */
  readonly output: string
  /** The same, standard output alone. */
  readonly stdout: string
  /** Resolves with the match once the output has it. @throws Error when it ends, or after 15 s, without */
  prints(pattern: RegExp): Promise<RegExpExecArray>
}

/** `sallyport` as one of the sandbox's people types it: with a home of its own, and a browser that signs in by itself. */
export interface Commands {
  readonly env: NodeJS.ProcessEnv
  start(args: readonly string[], env?: NodeJS.ProcessEnv): Running
  run(args: readonly string[], env?: NodeJS.ProcessEnv): Promise<Ran>
  /** Runs it with `--json` and parses the answer. @throws Error when it fails */
  json<T>(args: readonly string[]): Promise<T>
}

/** @param dir where homes are kept */
export function commandsOf(person: AccountName, options: { dir: string; url: string }): Commands {
  const home = path.join(options.dir, 'home', person)
  mkdirSync(home, { recursive: true, mode: 0o700 })
  const env = {
    ...process.env,
    SALLYPORT_HOME: home,
    SALLYPORT_SERVER: options.url,
    SALLYPORT_BROWSER: `${process.execPath} ${browser} ${person}`,
  }
  const start = (args: readonly string[], more: NodeJS.ProcessEnv = {}) =>
    startCommand(process.execPath, [program, ...args], { ...env, ...more })
  const run = (args: readonly string[], more?: NodeJS.ProcessEnv) => start(args, more).ended
  return {
    env,
    start,
    run,
    json: async <T>(args: readonly string[]) => {
      const ran = await run([...args, '--json'])
      if (ran.code !== 0) throw new Error(`sallyport ${args.join(' ')}: exit code ${ran.code}\n${ran.stderr}`)
      return JSON.parse(ran.stdout) as T
    },
  }
}

const printsWithinMs = 15_000

/** @param input for its standard input, which is empty unless told; null: whoever started it writes to it */
export function startCommand(
  file: string,
  args: readonly string[],
  env: NodeJS.ProcessEnv = process.env,
  input: string | null = '',
): Running {
  const child = spawn(file, [...args], { env, stdio: ['pipe', 'pipe', 'pipe'] })
  child.stdin.on('error', () => {}) // it may end without reading
  if (input !== null) child.stdin.end(input)
  const text = { stdout: '', stderr: '', both: '' }
  for (const name of ['stdout', 'stderr'] as const)
    child[name].setEncoding('utf8').on('data', (chunk: string) => {
      text[name] += chunk
      text.both += chunk
    })
  let isClosed = false // later than `exit`: by then all that it printed has been read
  const ended = new Promise<Ran>((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (code, signal) => {
      isClosed = true
      const { stdout, stderr } = text
      resolve({ code: code ?? (signal === 'SIGINT' ? 130 : 143), stdout, stderr, endedAt: Date.now() })
    })
  })
  return {
    child,
    ended,
    get output() {
      return text.both
    },
    get stdout() {
      return text.stdout
    },
    prints: (pattern) => {
      const missing = () => `expected ${pattern} in the output of ${path.basename(file)}, got: ${text.both}`
      const look = () => {
        const match = pattern.exec(text.both)
        if (!match && isClosed) throw new Error(missing())
        return match ?? undefined
      }
      return waitFor(look, missing, printsWithinMs)
    },
  }
}
