import { type ChildProcess, spawn } from 'node:child_process'
import os from 'node:os'
import path from 'node:path'
import type { Readable, Writable } from 'node:stream'
import { spawnPty } from '../../pty.ts'

/** A process in a container: one of this machine's. */
export interface Program {
  readonly child: ChildProcess
  readonly stdin: Writable
  readonly stdout: Readable
  /** null: there is a terminal, which has one output. */
  readonly stderr: Readable | null
  /** Exit code, or 128 + signal number; null: there is no such program. All output was read before. */
  readonly ended: Promise<number | null>
  resize(cols: number, rows: number): void
  /** The terminal is gone. */
  hangUp(): void
}

/** @param argv as the client asked for it: no shell reads it */
export function startProgram(
  argv: readonly string[],
  { root, tty, hostName }: { root: string; tty: boolean; hostName: string },
): Program {
  const [command = '', ...args] = withinRoot(argv, root)
  const env = { PATH: process.env.PATH, HOME: root, HOSTNAME: hostName }
  const options = { cwd: root, env, detached: true }
  if (tty) {
    const { child, stdin, stdout, resize } = spawnPty([command, ...args], options)
    const hangUp = () => void child.stdio[3]?.destroy()
    return { child, stdin, stdout, stderr: null, resize, hangUp, ended: endOf(child) }
  }
  const child = spawn(command, args, { ...options, stdio: 'pipe' })
  child.stdin.on('error', () => {}) // it reads no more
  const { stdin, stdout, stderr } = child
  return { child, stdin, stdout, stderr, ended: endOf(child), resize: () => {}, hangUp: () => {} }
}

function endOf(child: ChildProcess): Promise<number | null> {
  return new Promise((resolve) => {
    child.once('error', () => resolve(null))
    child.once('close', (code, signal) => resolve(code ?? 128 + (os.constants.signals[signal ?? 'SIGKILL'] ?? 9)))
  })
}

/** `kubectl cp` names files by tar and test alone; a container's root is a folder here. */
function withinRoot(argv: readonly string[], root: string): readonly string[] {
  if (argv[0] !== 'tar' && argv[0] !== 'test') return argv
  return argv.map((arg) => (arg.startsWith('/') ? path.relative(root, path.join(root, arg)) || '.' : arg))
}
