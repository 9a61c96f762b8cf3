import { type ChildProcess, type SpawnOptions, spawn, spawnSync } from 'node:child_process'
import type { Readable, Writable } from 'node:stream'

/**
 * A child under a pty: Node has none of its own. Its size comes on descriptor 3. Input that ends does not end the child; it is hung up
 * when input and sizes have both ended, as they do when we die. The exit code is the child's, or 128 + signal number.
 */
const script = `
import fcntl, os, pty, select, struct, sys, termios
pid, master = pty.fork()
if pid == 0:
    os.environ.update(TERM='xterm-256color', LANG='C.UTF-8', PS1='$ ')
    try:
        os.execvp(sys.argv[1], sys.argv[1:])
    except OSError:
        os._exit(127)
sources = [master, 0, 3]
while True:
    ready, _, _ = select.select(sources, [], [])
    for source in ready:
        try:
            data = os.read(source, 1024)
        except OSError:
            data = b''
        if not data and source == master:
            code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
            sys.exit(code if code >= 0 else 128 - code)
        if not data:
            sources.remove(source)
            if sources == [master]:
                os.close(master)
                sys.exit(0)
        elif source == master:
            os.write(1, data)
        elif source == 0:
            os.write(master, data)
        else:
            cols, rows = map(int, data.split(b'\\n')[-2].split())
            fcntl.ioctl(master, termios.TIOCSWINSZ, struct.pack('HHHH', rows, cols, 0, 0))
`

/** The machine's own comes first: a version manager's takes seconds to start. */
const python = ['/usr/bin/python3', 'python3'].find((one) => spawnSync(one, ['-c', 'import pty']).status === 0)

/** Why a pty cannot be had on this machine, or false. */
export const noPty: string | false = python === undefined && 'python3 is not installed'

export interface PtyChild {
  readonly child: ChildProcess
  readonly stdin: Writable
  /** Both outputs of the program. */
  readonly stdout: Readable
  resize(cols: number, rows: number): void
}

/** @param argv a program and its arguments; 127 is the exit code where there is no such program */
export function spawnPty(
  argv: readonly string[],
  options: Pick<SpawnOptions, 'cwd' | 'env' | 'detached'> = {},
): PtyChild {
  const child = spawn(python ?? 'python3', ['-c', script, ...argv], {
    ...options,
    stdio: ['pipe', 'pipe', 'ignore', 'pipe'],
  })
  const [stdin, stdout, , sizes] = child.stdio as unknown as [Writable, Readable, null, Writable]
  for (const stream of [stdin, sizes]) stream.on('error', () => {}) // it has ended
  return { child, stdin, stdout, resize: (cols, rows) => void sizes.write(`${cols} ${rows}\n`) }
}
