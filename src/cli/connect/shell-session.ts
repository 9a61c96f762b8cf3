import { openTerminalSocket } from '../../../proxy/local/broker-socket.ts'
import { commandLine } from '../../../proxy/local/shell-quote.ts'
import { printable } from '../../../proxy/printable.ts'
import { exitCodeOf, exitCodes } from '../output.ts'
import { untilStopped } from './connect-deps.ts'
import { LocalEscape } from './local-escape.ts'
import { type ConnectDeps, readBearer } from './open-connections.ts'
import { describeEnd, endsGrant } from './session-end.ts'
import { chooseTarget, listResources } from './target.ts'
import { type Reopen, TerminalConnection, type TerminalEnd } from './terminal-connection.ts'

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
  const ask = { server: deps.server, resourceId: target.id, level: target.level, tool: 'sallyport shell' }
  const isTerminal = command === undefined
  return await untilStopped(
    async (signal) => {
      const reopen: Reopen = async (within, adopt) => {
        const bearer = await readBearer(deps)
        await openTerminalSocket({ ...ask, bearer, size: sizeNow(), isResumed: true }, within, adopt)
      }
      const session = new ShellSession(command, isTerminal ? reopen : undefined)
      const bearer = await readBearer(deps)
      const size = isTerminal ? sizeNow() : undefined
      await openTerminalSocket({ ...ask, bearer, size }, signal, (socket) => session.connection.adopt(socket))
      return await session.run(signal)
    },
    isTerminal ? undefined : stopSignals,
  )
}

function sizeNow(): { cols: number; rows: number } {
  const { columns, rows } = process.stdout
  return { cols: columns || usualSize.cols, rows: rows || usualSize.rows }
}

class ShellSession {
  readonly connection: TerminalConnection
  readonly #command: string | undefined
  readonly #ended = Promise.withResolvers<number>()
  readonly #escape = new LocalEscape()
  #hasShown = false
  #exitCode: number | null = null
  #isStderr = false
  #interrupts = 0

  /** @param command undefined: a shell @param reopen of a terminal that goes on when its connection is lost */
  constructor(command: string | undefined, reopen: Reopen | undefined) {
    this.#command = command
    this.connection = new TerminalConnection(
      {
        output: (bytes, shown) => this.#show(bytes, shown),
        notice: (text) => this.#tell(text),
        stream: (name) => {
          this.#isStderr = name === 'stderr'
        },
        exit: (code) => {
          this.#exitCode = code
        },
        away: (forMs) =>
          this.#tell(`the connection was lost; trying for ${Math.round(forMs / 1000)} s to go on (~. leaves)`),
        back: (skipped, isTypedLost) => this.#tellBack(skipped, isTypedLost),
        ended: (end) => this.#onEnd(end),
      },
      reopen,
    )
  }

  /** Until the session ends. */
  async run(signal: AbortSignal): Promise<number> {
    const leave = () => this.connection.leave()
    if (this.#command !== undefined) this.connection.say({ command: this.#command })
    signal.addEventListener('abort', leave)
    if (signal.aborted) leave()
    try {
      return await (this.#command !== undefined ? this.#runCommand() : this.#runTerminal())
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
    if (this.#interrupts > 1) this.connection.leave()
    else this.connection.type(signals[name as keyof typeof signals])
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
    if (bytes.length > 0) this.connection.type(bytes)
    if (leaves) this.connection.leave()
  }

  readonly #endInput = (): void => this.connection.type(endOfTransmission)

  readonly #resize = (): void => this.connection.say({ resize: sizeNow() })

  #show(bytes: Buffer, shown: () => void): void {
    this.#hasShown = true
    const output = this.#isStderr ? process.stderr : process.stdout
    output.write(bytes, shown)
  }

  #tellBack(skipped: number, isTypedLost: boolean): void {
    this.#resize()
    this.#tell(skipped === 0 ? 'the session goes on' : `the session goes on; ${skipped} bytes of output were not kept`)
    if (isTypedLost) this.#tell('what was typed last did not arrive')
  }

  #tell(text: string): void {
    const end = process.stdin.isRaw ? '\r\n' : '\n'
    process.stderr.write(`sallyport: ${printable(text)}${end}`)
  }

  #onEnd(end: TerminalEnd): void {
    const isCommand = this.#command !== undefined
    const isTTY = process.stdout.isTTY && !isCommand
    const isOver = end.how === 'closed' && !this.connection.isLeaving
    if (isTTY && !isOver && this.#hasShown) process.stdout.write(resetModes)
    if (end.how === 'failed') {
      if (this.#hasShown && isTTY && end.isOnScreen) this.#ended.resolve(exitCodeOf(end.error.code))
      else this.#ended.reject(end.error)
    } else if (end.how === 'cut') {
      if (!isTTY && !isCommand) this.#tell(`the session was cut: ${describeEnd(end.reason)}`)
      this.#ended.resolve(endsGrant(end.reason) ? exitCodes.denied : exitCodes.failed)
    } else this.#ended.resolve(this.#exitCode ?? (isCommand ? exitCodes.failed : exitCodes.done))
  }
}
