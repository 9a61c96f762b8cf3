import { setTimeout as wait } from 'node:timers/promises'
import type { WebSocket } from 'ws'
import { BrokerError, type EndReason, sessionCutCode } from '../session.ts'
import type { TerminalSize } from '../ssm/terminal.ts'
import { ClientLeft } from '../streams/client-line.ts'
import { isTerminalSize, longestCommand } from './rules.ts'
import { errorText, onScreen } from './words.ts'

const normalCode = 1000
/** Sent and not shown yet, at most. */
export const windowBytes = 256 * 1024
/** Typed before the session has begun, at most. */
const mostEarlyBytes = 64 * 1024
const longestText = 1024
/** In JSON a character may take six bytes. */
const longestCommandText = 6 * longestCommand + longestText
/** For the first message. */
const commandMs = 30_000
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
 * What the text messages of the broker say. `recordsInput`: the notice says what is recorded, and whether what is typed is. `end`: why the
 * session is over, for people; the bytes behind it say the same on a screen that has no other place. `resize` and `skipped` (bytes)
 * are for who watches.
 */
export type Told =
  | { readonly notice: string; readonly recordsInput?: boolean }
  | { readonly end: string }
  | { readonly exit: number | null }
  | { readonly error: object }
  | { readonly stream: 'stdout' | 'stderr' }
  | { readonly resize: TerminalSize }
  | { readonly skipped: number }

/**
 * The websocket of a terminal. Binary messages are bytes, of the terminal or for it. Text messages are JSON: `{"resize":{"cols","rows"}}`
 * and `{"ack":N}`, the count of bytes shown so far, from the client; a {@link Told} towards it.
 * That of a command begins with the client's `{"command"}`; `{"stream"}` says of which output the binary messages are that follow it,
 * first stdout.
 */
export class ShellClient {
  readonly #socket: WebSocket
  readonly #isCommand: boolean
  /** Of a command: its text, once it is there. */
  readonly #command = Promise.withResolvers<string>()
  #isCommandDue: boolean
  #isStderr = false
  #listener: ShellClientListener | undefined
  /** What arrived before there was a listener. */
  readonly #early: [data: Buffer, isBinary: boolean][] = []
  #earlyBytes = 0
  #sent = 0
  #shown = 0
  #isEnded = false
  /** Resolves once it has disconnected. */
  readonly left: Promise<void>

  /** @param isCommand it has no terminal, and says first which command it runs */
  constructor(socket: WebSocket, isCommand = false) {
    this.#isCommand = isCommand
    this.#isCommandDue = isCommand
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

  /** @returns what it runs @throws BrokerError PROTOCOL_ERROR, HANDSHAKE_TIMEOUT; ClientLeft */
  async command(): Promise<string> {
    const inTime = new AbortController()
    const late = wait(commandMs, undefined, { signal: inTime.signal, ref: false }).then((): never => {
      throw new BrokerError('HANDSHAKE_TIMEOUT', 'no command came')
    })
    const left = this.left.then((): never => {
      throw new ClientLeft()
    })
    for (const one of [late, left, this.#command.promise]) one.catch(() => {}) // the first one counts
    try {
      return await Promise.race([this.#command.promise, late, left])
    } finally {
      inTime.abort()
    }
  }

  /** Gets what has arrived before, too. */
  attach(listener: ShellClientListener): void {
    this.#listener = listener
    for (const [data, isBinary] of this.#early.splice(0)) this.#receive(data, isBinary)
    this.resume()
  }

  /** @param isStderr of a command: what it wrote there */
  send(bytes: Buffer, isStderr = false): void {
    if (this.#isCommand && isStderr !== this.#isStderr) {
      this.#isStderr = isStderr
      this.tell({ stream: isStderr ? 'stderr' : 'stdout' })
    }
    this.#sent += bytes.length
    if (this.#isOpen) this.#socket.send(bytes, binary)
  }

  /** Why it is over, for the person: on the screen, if there is one. */
  sayEnd(text: string): void {
    if (this.#isCommand) this.tell({ notice: text })
    else {
      this.tell({ end: text })
      this.send(onScreen(text))
    }
  }

  tell(message: Told): void {
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

  /** It has opened, but its target cannot be reached, or refuses it. */
  sayError(error: BrokerError): void {
    if (!this.#isCommand) this.sayEnd(errorText(error)) // else what follows says it
    this.refuse(error)
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
    if (this.#isCommandDue) {
      this.#isCommandDue = false
      const command = isBinary ? undefined : readCommand(data)
      if (command !== undefined) this.#command.resolve(command)
      else this.#command.reject(new BrokerError('PROTOCOL_ERROR', 'the first message is no command'))
      return
    }
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

/** @returns undefined: it is none, or too long */
function readCommand(data: Buffer): string | undefined {
  if (data.length > longestCommandText) return undefined
  const { command, ...more } = parseObject(data.toString())
  if (typeof command !== 'string' || Object.keys(more).length > 0 || command.includes('\0')) return undefined
  return command.trim() === '' || command.length > longestCommand ? undefined : command
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
