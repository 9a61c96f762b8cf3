import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Test } from 'tap'
import { program } from '../../program.ts'

const browser = fileURLToPath(new URL('../../sandbox/browser.ts', import.meta.url))

export interface Ran {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

export interface Terminal {
  /** Where this person's logins are kept. */
  readonly home: string
  run(...args: string[]): Promise<Ran>
  /**
   * @param options.detached in a process group of its own, as from a shell
   * @param options.stdout a file that is open, instead of what `ended` tells
   */
  launch(
    args: readonly string[],
    options?: { detached?: boolean; stdout?: number },
  ): { child: ChildProcess; ended: Promise<Ran> }
  /** Starts a command and resolves once its stderr matches; `ended` is the rest. */
  start(args: string[], shows: RegExp): Promise<{ found: RegExpExecArray; ended: Promise<Ran>; child: ChildProcess }>
}

/** A person's terminal, whose browser signs in as `account`; no browser at all when it is null. */
export function openTerminal(t: Test, account: string | null, more: NodeJS.ProcessEnv = {}): Terminal {
  const home = mkdtempSync(join(tmpdir(), 'sallyport-home-'))
  t.teardown(() => rmSync(home, { recursive: true, force: true }))
  const { DISPLAY: _, WAYLAND_DISPLAY: __, BROWSER: ___, ...ours } = process.env
  const env = {
    ...ours,
    SALLYPORT_HOME: home,
    ...(account ? { SALLYPORT_BROWSER: `${process.execPath} ${browser} ${account}` } : {}),
    ...more,
  }
  const launch = (
    args: readonly string[],
    { detached = false, stdout }: { detached?: boolean; stdout?: number } = {},
  ) => {
    const stdio = ['ignore' as const, stdout ?? ('pipe' as const), 'pipe' as const]
    const child: ChildProcess = spawn(process.execPath, [program, ...args], { detached, env, stdio })
    t.teardown(() => void child.kill('SIGKILL'))
    const said = { stdout: '', stderr: '' }
    child.stdout?.on('data', (chunk: Buffer) => {
      said.stdout += chunk.toString()
    })
    child.stderr?.on('data', (chunk: Buffer) => {
      said.stderr += chunk.toString()
    })
    const ended = new Promise<Ran>((resolve) =>
      child.on('close', (code) => resolve({ code: code ?? -1, stdout: said.stdout, stderr: said.stderr })),
    )
    return { child, said, ended }
  }
  return {
    home,
    launch,
    run: (...args) => launch(args).ended,
    start: async (args, shows) => {
      const { child, said, ended } = launch(args)
      const found = await Promise.race([
        new Promise<RegExpExecArray>((resolve) =>
          child.stderr?.on('data', () => {
            const match = shows.exec(said.stderr)
            if (match) resolve(match)
          }),
        ),
        ended.then((ran) => Promise.reject(new Error(`it ended with ${ran.code}: ${ran.stderr}`))),
      ])
      return { found, ended, child }
    },
  }
}
