import { WebSocket } from 'ws'
import { lostBroker, readBrokerMessage, toRefusal } from '../../../proxy/local/broker-messages.ts'
import { openTerminalSocket } from '../../../proxy/local/broker-socket.ts'
import { commandLine } from '../../../proxy/local/shell-quote.ts'
import { printable } from '../../../proxy/printable.ts'
import { type BrokerError, sessionCutCode } from '../../../proxy/session.ts'
import { exitCodeOf, exitCodes } from '../output.ts'
import { untilStopped } from './connect-deps.ts'
import { LocalEscape } from './local-escape.ts'
import { type ConnectDeps, readBearer } from './open-connections.ts'
import { describeEnd, endsGrant } from './session-end.ts'
import { chooseTarget, listResources } from './target.ts'

const normalCode = 1000
/** The broker sends four times as much before it waits for us. */
const ackEveryBytes = 64 * 1024
/** Of a terminal that does not know its own. */
const usualSize = { cols: 80, rows: 24 }
/** What a program that was cut off may have left: bracketed paste, the mouse, application keys. */
const resetModes = '\u001b[?2004l\u001b[?1000l\u001b[?1002l\u001b[?1003l\u001b[?1006l\u001b[?1l\u001b>'
const endOfTransmission = Buffer.from([4])
/** Typed at a terminal they are signals, and so they are for a command that has none. */
const signals = { SIGINT: Buffer.from([3]), SIGQUIT: Buffer.from([0x1c]) } as const
const stopSignals = ['SIGTERM', 'SIGHUP'] as const

/**
 * `sallyport shell`: this terminal is that of the instance until one of them ends it. Input that is no terminal is typed, and an end of
 * file behind it. With words it is the command that they are, without a terminal: its outputs are ours, and so is its exit code.
 * @returns the exit code of the session, or the code of why it ended
 * @throws BrokerError when the broker refused it, or was lost
 */
export async function shell(
  deps: ConnectDeps,
  reference: string,
  words: readonly string[],
  options: { readonly level?: string },
): Promise<number> {
  const command = words.length === 0 ? undefined : commandLine(words)
  const target = chooseTarget(await listResources(await deps.openApi()), reference, options.level, ['shell'])
  const ask = {
    server: deps.server,
    bearer: await readBearer(deps),
    resourceId: target.id,
    level: target.level,
    tool: 'sallyport shell',
    size: command === undefined ? sizeNow() : undefined,
  }
  return await untilStopped(
    async (signal) => {
      const session = await openTerminalSocket(ask, signal, (socket) => new ShellSession(socket, command))
      return await session.run(signal)
    },
    command === undefined ? undefined : stopSignals,
  )
}

function sizeNow(): { cols: number; rows: number } {
  const { columns, rows } = process.stdout
  return { cols: columns || usualSize.cols, rows: rows || usualSize.rows }
}

class ShellSession {
  readonly #socket: WebSocket
  readonly #ended = Promise.withResolvers<number>()
  readonly #escape = new LocalEscape()
  #received = 0
  #shown = 0
  #acknowledged = 0
  #exitCode: number | null = null
  #refusal: BrokerError | undefined
  #isLeaving = false
  readonly #isCommand: boolean
  #isStderr = false
  #interrupts = 0

  /** @param command undefined: a shell */
  constructor(socket: WebSocket, command: string | undefined) {
    this.#socket = socket
    this.#isCommand = command !== undefined
    socket.on('message', (data: Buffer, isBinary: boolean) => (isBinary ? this.#show(data) : this.#hear(data)))
    socket.on('error', () => {}) // followed by `close`
    socket.once('close', (code, reason) => this.#closed(code, String(reason)))
    if (command !== undefined) this.#send(JSON.stringify({ command }))
  }

  /** Until the session ends. */
  async run(signal: AbortSignal): Promise<number> {
    const leave = () => this.#leave()
    signal.addEventListener('abort', leave)
    if (signal.aborted) leave()
    try {
      return await (this.#isCommand ? this.#runCommand() : this.#runTerminal())
    } finally {
      signal.removeEventListener('abort', leave)
      process.stdin.off('data', this.#type)
      process.stdin.pause()
    }
  }

  /** What comes on standard input is sent, so that the broker refuses it: no command would get it. A terminal is left alone. */
  async #runCommand(): Promise<number> {
    const names = Object.keys(signals) as (keyof typeof signals)[]
    if (!process.stdin.isTTY) process.stdin.on('data', this.#type)
    for (const name of names) process.on(name, this.#interrupt)
    try {
      return await this.#ended.promise
    } finally {
      for (const name of names) process.off(name, this.#interrupt)
    }
  }

  /** A second one does not wait for what the instance makes of the first. */
  readonly #interrupt = (name: NodeJS.Signals): void => {
    this.#interrupts += 1
    if (this.#interrupts > 1) this.#leave()
    else this.#send(signals[name as keyof typeof signals])
  }

  async #runTerminal(): Promise<number> {
    const { stdin, stdout } = process
    if (stdin.isTTY) stdin.setRawMode(true)
    stdin.on('data', this.#type)
    stdin.once('end', this.#endInput)
    stdout.on('resize', this.#resize)
    try {
      return await this.#ended.promise
    } finally {
      stdin.off('end', this.#endInput)
      stdout.off('resize', this.#resize)
      if (stdin.isTTY) stdin.setRawMode(false)
    }
  }

  readonly #type = (typed: Buffer): void => {
    const { bytes, leaves } = process.stdin.isTTY ? this.#escape.pass(typed) : { bytes: typed, leaves: false }
    if (bytes.length > 0) this.#send(bytes)
    if (leaves) this.#leave()
  }

  readonly #endInput = (): void => this.#send(endOfTransmission)

  readonly #resize = (): void => this.#send(JSON.stringify({ resize: sizeNow() }))

  #leave(): void {
    this.#isLeaving = true
    this.#socket.close(normalCode)
  }

  #send(message: Buffer | string): void {
    if (this.#socket.readyState === WebSocket.OPEN) this.#socket.send(message)
  }

  #show(bytes: Buffer): void {
    this.#received += bytes.length
    const output = this.#isStderr ? process.stderr : process.stdout
    output.write(bytes, () => {
      this.#shown += bytes.length
      if (this.#shown - this.#acknowledged < ackEveryBytes) return
      this.#acknowledged = this.#shown
      this.#send(JSON.stringify({ ack: this.#shown }))
    })
  }

  #hear(data: Buffer): void {
    const { notice, exit, error, stream } = readBrokerMessage(data)
    if (stream !== undefined) this.#isStderr = stream === 'stderr'
    if (typeof notice === 'string') this.#tell(notice)
    if (typeof exit === 'number') this.#exitCode = exit
    if (error !== undefined) this.#refusal = toRefusal(error)
  }

  #tell(text: string): void {
    const end = process.stdin.isRaw ? '\r\n' : '\n'
    process.stderr.write(`sallyport: ${printable(text)}${end}`)
  }

  /** When the instance gave none: of a command it is not known whether it succeeded. */
  get #usualCode(): number {
    return this.#isCommand ? exitCodes.failed : exitCodes.done
  }

  #closed(code: number, reason: string): void {
    const isTTY = process.stdout.isTTY && !this.#isCommand
    const isOver = code === normalCode && this.#refusal === undefined && !this.#isLeaving
    if (isTTY && !isOver && this.#received > 0) process.stdout.write(resetModes)
    if (this.#refusal) {
      // Once the terminal was there, the broker has said it on the screen.
      if (this.#received > 0 && isTTY) this.#ended.resolve(exitCodeOf(this.#refusal.code))
      else this.#ended.reject(this.#refusal)
    } else if (code === sessionCutCode) {
      if (!isTTY && !this.#isCommand) this.#tell(`the session was cut: ${describeEnd(reason)}`)
      this.#ended.resolve(endsGrant(reason) ? exitCodes.denied : exitCodes.failed)
    } else if (this.#isLeaving || code === normalCode) this.#ended.resolve(this.#exitCode ?? this.#usualCode)
    else this.#ended.reject(lostBroker())
  }
}
