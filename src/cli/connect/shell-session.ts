import { WebSocket } from 'ws'
import { openTerminalSocket } from '../../../proxy/local/broker-socket.ts'
import { printable } from '../../../proxy/printable.ts'
import { BrokerError, type ErrorCode, errors, sessionCutCode } from '../../../proxy/session.ts'
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

/**
 * `sallyport shell`: this terminal is that of the instance until one of them ends it. Input that is no terminal is typed, and an end of
 * file behind it.
 * @returns the exit code of the session, or the code of why it ended
 * @throws BrokerError when the broker refused it, or was lost
 */
export async function shell(
  deps: ConnectDeps,
  reference: string,
  options: { readonly level?: string },
): Promise<number> {
  const target = chooseTarget(await listResources(await deps.openApi()), reference, options.level, ['shell'])
  const ask = {
    server: deps.server,
    bearer: await readBearer(deps),
    resourceId: target.id,
    level: target.level,
    tool: 'sallyport shell',
    ...sizeNow(),
  }
  return await untilStopped(async (signal) => {
    const session = await openTerminalSocket(ask, signal, (socket) => new ShellSession(socket))
    return await session.run(signal)
  })
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

  constructor(socket: WebSocket) {
    this.#socket = socket
    socket.on('message', (data: Buffer, isBinary: boolean) => (isBinary ? this.#show(data) : this.#hear(data)))
    socket.on('error', () => {}) // followed by `close`
    socket.once('close', (code, reason) => this.#closed(code, String(reason)))
  }

  /** Takes the terminal until the session ends. */
  async run(signal: AbortSignal): Promise<number> {
    const { stdin, stdout } = process
    const leave = () => this.#leave()
    signal.addEventListener('abort', leave)
    if (signal.aborted) leave()
    if (stdin.isTTY) stdin.setRawMode(true)
    stdin.on('data', this.#type)
    stdin.once('end', this.#endInput)
    stdout.on('resize', this.#resize)
    try {
      return await this.#ended.promise
    } finally {
      signal.removeEventListener('abort', leave)
      stdin.off('data', this.#type)
      stdin.off('end', this.#endInput)
      stdin.pause()
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
    process.stdout.write(bytes, () => {
      this.#shown += bytes.length
      if (this.#shown - this.#acknowledged < ackEveryBytes) return
      this.#acknowledged = this.#shown
      this.#send(JSON.stringify({ ack: this.#shown }))
    })
  }

  #hear(data: Buffer): void {
    const { notice, exit, error } = readMessage(data)
    if (typeof notice === 'string') this.#tell(notice)
    if (typeof exit === 'number') this.#exitCode = exit
    if (error !== undefined) this.#refusal = toRefusal(error)
  }

  #tell(text: string): void {
    const end = process.stdin.isTTY ? '\r\n' : '\n'
    process.stderr.write(`sallyport: ${printable(text)}${end}`)
  }

  #closed(code: number, reason: string): void {
    const { isTTY } = process.stdout
    const isOver = code === normalCode && this.#refusal === undefined && !this.#isLeaving
    if (isTTY && !isOver && this.#received > 0) process.stdout.write(resetModes)
    if (this.#refusal) {
      // Once the terminal was there, the broker has said it on the screen.
      if (this.#received > 0 && isTTY) this.#ended.resolve(exitCodeOf(this.#refusal.code))
      else this.#ended.reject(this.#refusal)
    } else if (code === sessionCutCode) {
      if (!isTTY) this.#tell(`the session was cut: ${describeEnd(reason)}`)
      this.#ended.resolve(endsGrant(reason) ? exitCodes.denied : exitCodes.failed)
    } else if (this.#isLeaving) this.#ended.resolve(exitCodes.done)
    else if (code === normalCode) this.#ended.resolve(this.#exitCode ?? exitCodes.done)
    else this.#ended.reject(lost())
  }
}

interface Message {
  readonly notice?: unknown
  readonly exit?: unknown
  readonly error?: unknown
}

/** What is no message of a broker says nothing. */
function readMessage(data: Buffer): Message {
  try {
    const message: unknown = JSON.parse(data.toString())
    return typeof message === 'object' && message !== null ? message : {}
  } catch {
    return {}
  }
}

function toRefusal(told: unknown): BrokerError {
  const { code, message, hint } = told as { code?: unknown; message?: unknown; hint?: unknown }
  const known = typeof code === 'string' && Object.hasOwn(errors, code) ? (code as ErrorCode) : 'INTERNAL'
  const error = new BrokerError(known, undefined, typeof hint === 'string' ? { hint } : {})
  if (typeof message === 'string') error.message = message
  return error
}

function lost(): BrokerError {
  const error = new BrokerError('STORE_UNAVAILABLE', undefined, { hint: 'the broker ends the session at the instance' })
  error.message = 'the connection to the broker was lost'
  return error
}
