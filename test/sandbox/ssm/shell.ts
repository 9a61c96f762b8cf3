import { spawn, spawnSync } from 'node:child_process'
import type { Readable, Writable } from 'node:stream'
import { type AgentWork, parseSize, type StartWork } from './work.ts'

/** A child under a pty, whose size comes on descriptor 3: Node has none of its own. */
const ptyScript = `
import fcntl, os, pty, select, struct, sys, termios
pid, master = pty.fork()
if pid == 0:
    os.environ.update(TERM='xterm-256color', LANG='C.UTF-8', PS1='$ ')
    os.execvp(sys.argv[1], sys.argv[1:])
sources = [master, 0, 3]
while True:
    ready, _, _ = select.select(sources, [], [])
    for source in ready:
        try:
            data = os.read(source, 1024)
        except OSError:
            data = b''
        if not data and source == master:
            sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
        if not data:
            if source == 0:
                os.close(master)
                sys.exit(0)
            sources.remove(source)
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

/** Why a shell cannot be had on this machine, or false. */
export const noPty: string | false = python === undefined && 'python3 is not installed'

/** `sh` under a pty. */
export const startShell: StartWork = (_spec, { output, end }) => {
  const child = spawn(python ?? 'python3', ['-c', ptyScript, 'sh'], { stdio: ['pipe', 'pipe', 'ignore', 'pipe'] })
  child.on('error', (error) => end(`----------ERROR-------\n${error.message}`))
  const [stdin, stdout, , sizes] = child.stdio as unknown as [Writable, Readable, null, Writable]
  for (const stream of [stdin, sizes]) stream.on('error', () => {}) // it has ended
  stdout.on('data', (data: Buffer) => {
    stdout.pause()
    void output(1, data).then(() => stdout.resume())
  })
  stdout.once('end', () => end())
  return {
    take: (type, payload) => {
      if (type === 1) stdin.write(payload)
      else if (type === 3) {
        const { cols, rows } = parseSize(payload)
        sizes.write(`${cols} ${rows}\n`)
      }
      return true
    },
    stop: () => void child.kill('SIGKILL'),
  }
}

/** `sh -c` with the two outputs apart; of the input only the bytes that are signals. */
export const startCommand: StartWork = ({ command = 'true' }, { output, end }): AgentWork => {
  const child = spawn('sh', ['-c', command], { stdio: ['ignore', 'pipe', 'pipe'], detached: true })
  child.stdout.on('data', (data: Buffer) => void output(1, data))
  child.stderr.on('data', (data: Buffer) => void output(11, data))
  child.once('close', (code) => {
    void output(12, Buffer.from(`EXIT_CODE: ${code ?? 1}`)).then(() => end())
  })
  const signal = (name: NodeJS.Signals) => {
    if (child.pid !== undefined && child.exitCode === null) process.kill(-child.pid, name)
  }
  return {
    take: (type, payload) => {
      if (type === 1 && payload.includes(0x03)) signal('SIGINT')
      if (type === 1 && payload.includes(0x1c)) signal('SIGQUIT')
      return true
    },
    stop: () => {
      if (child.exitCode === null && child.signalCode === null) signal('SIGKILL')
    },
  }
}
