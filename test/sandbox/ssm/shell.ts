import { isUtf8 } from 'node:buffer'
import { spawn } from 'node:child_process'
import type { Readable } from 'node:stream'
import { spawnPty } from '../pty.ts'
import { type AgentWork, isAbove, parseSize, type StartWork } from './work.ts'

export { noPty } from '../pty.ts'

/** `sh` under a pty, or `sh -c` of a document that has a command. */
export const startShell: StartWork = ({ command }, { output, end }) => {
  const run = command === undefined ? ['sh'] : ['sh', '-c', command]
  const { child, stdin, stdout, resize } = spawnPty(run)
  child.on('error', (error) => end(`----------ERROR-------\n${error.message}`))
  sendWhole(stdout, (data) => output(1, data))
  stdout.once('end', () => end())
  return {
    take: (type, payload) => {
      if (type === 1) stdin.write(payload)
      else if (type === 3) {
        const { cols, rows } = parseSize(payload)
        resize(cols, rows)
      }
      return true
    },
    stop: () => void child.kill('SIGKILL'),
  }
}

/** The replacement character, U+FFFD. */
const replacement = Buffer.from([0xef, 0xbf, 0xbd])

/** As agents send it: they take a U+FFFD for a broken character and send one byte of it for all three. */
function asSent(bytes: Buffer): Buffer {
  const parts: Buffer[] = []
  let at = 0
  for (let found = bytes.indexOf(replacement); found >= 0; found = bytes.indexOf(replacement, at)) {
    parts.push(bytes.subarray(at, found + 1))
    at = found + replacement.length
  }
  return at === 0 ? bytes : Buffer.concat([...parts, bytes.subarray(at)])
}

/** As it is read. What the last bytes would begin is kept for what follows, and lost where nothing does: so do agents. */
function sendWhole(stream: Readable, send: (data: Buffer) => Promise<void>): void {
  let rest: Buffer = Buffer.alloc(0)
  stream.on('data', (data: Buffer) => {
    const bytes = Buffer.concat([rest, data])
    const end = wholeCharacters(bytes)
    rest = bytes.subarray(end)
    stream.pause()
    void send(asSent(bytes.subarray(0, end))).then(() => stream.resume())
  })
}

/** Where the first of the last three bytes is that is no character. */
function wholeCharacters(bytes: Buffer): number {
  let at = Math.max(0, bytes.length - 6)
  while (at < bytes.length) {
    const length = [1, 2, 3, 4].find((n) => at + n <= bytes.length && isUtf8(bytes.subarray(at, at + n)))
    if (length === undefined && bytes.length - at < 4) return at
    at += length ?? 1
  }
  return bytes.length
}

/**
 * `sh -c`; of the input only the bytes that are signals. The two outputs are apart and the exit code is told where the document says so
 * and the agent knows it; else both are one file, which is sent when the command has ended.
 */
export const startCommand: StartWork = ({ command = 'true', isMixed }, { output, end, options }): AgentWork => {
  const { root } = options
  const own = root === '' ? command : command.replaceAll(' /etc/', ` ${root}/etc/`)
  const env = root === '' ? process.env : { ...process.env, PATH: `${root}/bin:${process.env.PATH}` }
  const child = spawn('sh', ['-c', own], { stdio: ['ignore', 'pipe', 'pipe'], detached: true, env })
  if (isMixed || !isAbove(options.agentVersion, [3, 1, 1510, 0])) {
    const file: Buffer[] = []
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (data: Buffer) => file.push(data))
    child.once('close', () => void output(1, Buffer.concat(file)).then(() => end()))
  } else {
    sendWhole(child.stdout, (data) => output(1, data))
    sendWhole(child.stderr, (data) => output(11, data))
    child.once('close', (code) => {
      void output(12, Buffer.from(`EXIT_CODE: ${code ?? -1}`)).then(() => end())
    })
  }
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
