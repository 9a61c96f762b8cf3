import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import type { Readable } from 'node:stream'

/**
 * A child that cannot outlive us: a shell waits on a pipe that the kernel closes when we die, however we die, and then
 * ends the child by its process id. It runs in its own session, so a Ctrl-C at the terminal reaches us alone.
 */
export interface GuardedProcess {
  /** Of the program itself, not of the shell. */
  readonly pid: number
  readonly stdout: Readable
  readonly stderr: Readable
  /** Exit code; 128 + signal number when a signal ended it. */
  readonly exited: Promise<number>
  signal(name: NodeJS.Signals): void
  /** Sends the stop signal, and SIGKILL to what is left after 5 s; resolves with the exit code. */
  stop(): Promise<number>
}

export interface GuardOptions {
  readonly command: string
  readonly args: readonly string[]
  /** How the program is asked to end, e.g. `INT`. */
  readonly stopSignal: 'INT' | 'TERM'
  /** Folder deleted once the program has ended. */
  readonly remove?: string
  readonly cwd?: string
  readonly env?: NodeJS.ProcessEnv
  readonly uid?: number
  readonly gid?: number
}

// fd 3 reports the process id; fd 4 is our pipe, out of the program's sight.
const guard = `
exec 4<&0 </dev/null
"$@" 3>&- 4<&- &
pid=$!
echo $pid >&3
(read _ <&4; kill -$STOP_SIGNAL $pid; sleep 5 >/dev/null 2>&1; kill -KILL $pid 2>/dev/null) 3>&- >/dev/null 2>&1 &
watcher=$!
exec 3>&- 4<&-
wait $pid
status=$?
kill $watcher 2>/dev/null
if [ -n "$REMOVE" ]; then rm -rf -- "$REMOVE"; fi
exit $status
`

export async function spawnGuarded(options: GuardOptions): Promise<GuardedProcess> {
  const { command, args, stopSignal, remove, cwd, env, uid, gid } = options
  const shell = spawn('/bin/sh', ['-c', guard, 'guard', command, ...args], {
    stdio: ['pipe', 'pipe', 'pipe', 'pipe'],
    detached: true,
    env: { ...(env ?? process.env), STOP_SIGNAL: stopSignal, REMOVE: remove ?? '' },
    ...(cwd === undefined ? {} : { cwd }),
    ...(uid === undefined ? {} : { uid }),
    ...(gid === undefined ? {} : { gid }),
  })
  const exited = new Promise<number>((resolve, reject) => {
    shell.once('exit', (code, signal) => resolve(code ?? (signal === 'SIGKILL' ? 137 : 143)))
    shell.once('error', reject)
  })
  const pid = Number(await Promise.race([firstLine(shell), exited.then(() => '')]))
  if (!pid) throw new Error(`cannot start ${command}`)
  const { stdin, stdout, stderr } = shell
  stdin.on('error', () => {}) // EPIPE when the program ended by itself: `exited` tells
  return {
    pid,
    stdout,
    stderr,
    exited,
    signal: (name) => {
      if (shell.exitCode === null && shell.signalCode === null) process.kill(pid, name)
    },
    stop: () => {
      stdin.end()
      return exited
    },
  }
}

async function firstLine(shell: ChildProcess): Promise<string> {
  const report = shell.stdio[3] as Readable
  const [line] = (await once(report, 'data')) as [Buffer]
  report.destroy()
  return line.toString().trim()
}
