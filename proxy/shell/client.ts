import type { WebSocket } from 'ws'
import { BrokerError, type EndReason, sessionCutCode } from '../session.ts'
import type { TerminalSize } from '../ssm/terminal.ts'
import { isTerminalSize } from './rules.ts'

const normalCode = 1000
/** Sent and not shown yet, at most. */
export const windowBytes = 256 * 1024
/** Typed before the session has begun, at most. */
const mostEarlyBytes = 64 * 1024
const longestText = 1024
/** For the last bytes, and the client's answer to our closing. */
const lingerMs = 2000
const binary = { binary: true } as const

export interface ShellClientListener {
  input(bytes: Buffer): void
  resize(size: TerminalSize): void
  /** It has shown enough for more to be sent. */
  room(): void
  violated(error: BrokerError): void
}

/**
 * The websocket of a terminal. Binary messages are bytes, of the terminal or for it. Text messages are JSON: `{"resize":{"cols","rows"}}`
 * and `{"ack":N}`, the count of bytes shown so far, from the client; `{"notice"}`, `{"exit"}` and `{"error"}` towards it.
 */
export class ShellClient {
  readonly #socket: WebSocket
  #listener: ShellClientListener | undefined
  /** What arrived before there was a listener. */
  readonly #early: [data: Buffer, isBinary: boolean][] = []
  #earlyBytes = 0
  #sent = 0
  #shown = 0
  #isEnded = false
  /** Resolves once it has disconnected. */
  readonly left: Promise<void>

  constructor(socket: WebSocket) {
    const { promise, resolve } = Promise.withResolvers<void>()
    this.left = promise
    this.#socket = socket
    socket.on('message', (data: Buffer, isBinary: boolean) => this.#receive(data, isBinary))
    socket.on('error', () => {}) // followed by `close`
    socket.once('close', () => resolve())
  }

  /** Nothing more is to be sent until `room`. */
  get isFull(): boolean {
    return this.#sent - this.#shown >= windowBytes
  }

  /** Gets what has arrived before, too. */
  attach(listener: ShellClientListener): void {
    this.#listener = listener
    for (const [data, isBinary] of this.#early.splice(0)) this.#receive(data, isBinary)
    this.resume()
  }

  send(bytes: Buffer): void {
    this.#sent += bytes.length
    if (this.#isOpen) this.#socket.send(bytes, binary)
  }

  tell(message: { readonly notice: string } | { readonly exit: number | null } | { readonly error: object }): void {
    if (this.#isOpen) this.#socket.send(JSON.stringify(message))
  }

  pause(): void {
    if (this.#isOpen) this.#socket.pause()
  }

  resume(): void {
    if (this.#socket.isPaused) this.#socket.resume()
  }

  /** The session has not opened. */
  refuse(error: BrokerError): void {
    const { code, message, hint } = error
    this.tell({ error: { code, message, ...(hint === undefined ? {} : { hint }) } })
    this.#close(normalCode, '')
  }

  /** The session is over, by one of its sides. */
  end(): void {
    this.#close(normalCode, '')
  }

  cut(reason: EndReason): void {
    this.#close(sessionCutCode, reason)
  }

  get #isOpen(): boolean {
    return !this.#isEnded && this.#socket.readyState === this.#socket.OPEN
  }

  #close(code: number, reason: string): void {
    if (this.#isEnded) return
    this.#isEnded = true
    if (this.#socket.readyState !== this.#socket.OPEN) return
    this.#socket.close(code, reason)
    const timer = setTimeout(() => this.#socket.terminate(), lingerMs)
    this.#socket.once('close', () => clearTimeout(timer))
    this.resume() // a paused websocket would never read the closing frame
  }

  #receive(data: Buffer, isBinary: boolean): void {
    if (this.#isEnded) return
    const listener = this.#listener
    if (!listener) {
      this.#early.push([data, isBinary])
      this.#earlyBytes += data.length
      if (this.#earlyBytes >= mostEarlyBytes || this.#early.length >= longestText) this.pause()
    } else if (!isBinary) this.#receiveText(data, listener)
    else if (data.length > 0) listener.input(data)
  }

  #receiveText(data: Buffer, listener: ShellClientListener): void {
    const message = readMessage(data)
    if (message?.resize) listener.resize(message.resize)
    else if (message?.ack !== undefined && message.ack >= this.#shown && message.ack <= this.#sent) {
      this.#shown = message.ack
      if (!this.isFull) listener.room()
    } else listener.violated(new BrokerError('PROTOCOL_ERROR', 'a text message that no terminal sends'))
  }
}

interface ClientMessage {
  readonly resize?: TerminalSize
  readonly ack?: number
}

/** @returns undefined for anything but one of the client's messages */
function readMessage(data: Buffer): ClientMessage | undefined {
  if (data.length > longestText) return undefined
  const message = parseObject(data.toString())
  const [name, ...more] = Object.keys(message)
  if (more.length > 0) return undefined
  if (name === 'ack' && Number.isSafeInteger(message.ack)) return { ack: Number(message.ack) }
  if (name !== 'resize' || typeof message.resize !== 'object' || message.resize === null) return undefined
  const { cols, rows } = message.resize as Record<string, unknown>
  const size = { cols: Number(cols), rows: Number(rows) }
  return isTerminalSize(size) ? { resize: size } : undefined
}

function parseObject(text: string): Record<string, unknown> {
  try {
    const read: unknown = JSON.parse(text)
    return typeof read === 'object' && read !== null ? (read as Record<string, unknown>) : {}
  } catch {
    return {}
  }
}
