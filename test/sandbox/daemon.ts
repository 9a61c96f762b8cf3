import { createPublicKey } from 'node:crypto'
import { mkdtempSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { program } from '../program.ts'
import { waitUntil } from '../wait-until.ts'
import type { DaemonFiles } from './daemon-files.ts'
import { type GuardedProcess, spawnGuarded } from './guarded-process.ts'
import type { ConfigOverrides, Sandbox } from './sandbox.ts'

/** The product, unmodified, as a process of its own. */
export interface RunningDaemon extends DaemonFiles {
  readonly pid: number
  /** Exit code; 128 + signal number when a signal ended it. */
  readonly exited: Promise<number>
  /** All it wrote to stdout and stderr so far. */
  log(): string
  /** PEM of the audit log's signing key, for `audit verify`. */
  publicKeyPem(): string
  signal(name: NodeJS.Signals): void
  /** SIGTERM, and SIGKILL to what is left after 5 s. Resolves with the exit code. */
  stop(): Promise<number>
}

export interface DaemonOptions {
  /** A configuration written before: to start again where another daemon ended. */
  readonly files?: DaemonFiles
  readonly overrides?: ConfigOverrides
  readonly env?: NodeJS.ProcessEnv
  /** The program, ours unless told: `src/main.ts` of another checkout. */
  readonly main?: string
  /** At most so many open files. */
  readonly openFiles?: number
  /** A command that runs the daemon as its last arguments, e.g. `['unshare', '-m', …]`. */
  readonly through?: readonly string[]
  /** How long it may take to get ready; a minute by default. */
  readonly readyWithinMs?: number
  /** Wait until `/readyz` says that it is closed, rather than ready. */
  readonly closed?: boolean
}

/** Resolves when `/readyz` says so. @throws Error with the daemon's log when it ends, or isn't ready in time */
export async function startDaemon(sandbox: Sandbox, options: DaemonOptions = {}): Promise<RunningDaemon> {
  const files =
    options.files ?? (await sandbox.writeConfig(mkdtempSync(path.join(sandbox.dir, 'daemon-')), options.overrides))
  const command = [process.execPath, options.main ?? program, 'serve', '--config', files.configFile]
  const limited = options.openFiles === undefined ? [] : ['prlimit', `--nofile=${options.openFiles}`]
  const [file = '', ...args] = [...(options.through ?? []), ...limited, ...command]
  const child = await spawnGuarded({
    command: file,
    args,
    stopSignal: 'TERM',
    cwd: files.dir,
    env: { ...files.env, ...options.env },
  })
  const log = collect(child)
  try {
    await ready(files, child, options)
  } catch (error) {
    await child.stop()
    throw new Error(`the daemon did not get ready: ${(error as Error).message}\n${log()}`, { cause: error })
  }
  const { pid, exited, signal, stop } = child
  return { ...files, pid, exited, signal, stop, log, publicKeyPem: () => publicKeyIn(files.keysDir) }
}

function collect(child: GuardedProcess): () => string {
  let text = ''
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (chunk: Buffer) => {
      text = (text + chunk.toString()).slice(-4_000_000)
    })
  return () => text
}

async function ready(
  files: DaemonFiles,
  child: GuardedProcess,
  { closed = false, readyWithinMs = 60_000 }: DaemonOptions,
): Promise<void> {
  const ended = child.exited.then((code) => `it ended with ${code}`)
  let state = ''
  const isReady = async () => {
    state = await Promise.race([ended, probe(files.url)])
    if (state.startsWith('it ended')) throw new Error(state)
    return closed ? state.includes('restore --config') : state === 'ready'
  }
  await waitUntil(isReady, () => state, readyWithinMs, 25)
}

async function probe(url: string): Promise<string> {
  try {
    const response = await fetch(`${url}/readyz`, { signal: AbortSignal.timeout(2000) })
    const text = await response.text()
    return response.ok ? 'ready' : text
  } catch (error) {
    return String(error)
  }
}

function publicKeyIn(keysDir: string): string {
  const key = createPublicKey(readFileSync(path.join(keysDir, 'signing.pem')))
  return key.export({ type: 'spki', format: 'pem' }).toString()
}
