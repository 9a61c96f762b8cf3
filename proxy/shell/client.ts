import { performance } from 'node:perf_hooks'
import { BrokerError, type EndReason, sessionCutCode } from '../session.ts'
import type { TerminalSize } from '../ssm/terminal.ts'
import type { ClientSocket } from './client-socket.ts'
import { KeptOutput } from './kept-output.ts'
import { isTerminalSize, parseObject } from './rules.ts'
import { errorText, goesOnElsewhere, onScreen } from './words.ts'

/** Sent and not shown yet, at most. */
export const windowBytes = 256 * 1024
/** Kept for a client that is away, at most: its newest output. */
const mostKeptBytes = 256 * 1024
/** What it is told while it is away. */
const mostMissed = 16
const longestText = 1024

export interface ShellClientListener {
  input(bytes: Buffer): void
  resize(size: TerminalSize): void
  /** It has shown enough for more to be sent. */
  room(): void
  violated(error: BrokerError): void
  /** It was lost, and may come back. */
  away?(forMs: number): void
  /** @param skipped bytes that it will not get */
  back?(awayMs: number, skipped: number): void
}

/**
 * What the text messages of the broker say. `recordsInput`: the notice says what is recorded, and whether what is typed is. `end`: why the
 * session is over, for people; the bytes behind it say the same on a screen that has no other place. `resize` and `skipped` (bytes)
 * are for who watches. `resume`: the key by which another websocket goes on with the session, once, when this one is lost. `resumed`: it
 * does; so many bytes are left out before those that follow, and so many typed ones had arrived. `pong` has the latter, too.
 */
export type Told =
  | { readonly notice: string; readonly recordsInput?: boolean }
  | { readonly end: string }
  | { readonly exit: number | null }
  | { readonly error: object }
  | { readonly stream: 'stdout' | 'stderr' }
  | { readonly resize: TerminalSize }
  | { readonly skipped: number }
  | { readonly resume: ResumeOffer }
  | { readonly resumed: { readonly skipped: number; readonly typed: number } }
  | { readonly pong: number; readonly typed: number }

export interface ResumeOffer {
  readonly key: string
  /** How long the session waits for a client that was lost. */
  readonly forMs: number
}

interface Resumable {
  readonly forMs: number
  readonly kept: KeptOutput
}

/**
 * The client of a terminal: one websocket, or several one after the other when one is lost. Binary messages are bytes, of the terminal or
 * for it. Text messages are JSON: `{"resize":{"cols","rows"}}`, `{"ack":N}`, the count of bytes shown so far, and `{"ping":N}` from the client; a
 * {@link Told} towards it. That of a command begins with the client's `{"command"}`; `{"stream"}` says of which output the binary messages
 * are that follow it, first stdout.
 */
export class ShellClient {
  #socket: ClientSocket
  readonly #isCommand: boolean
  #isStderr = false
  #listener: ShellClientListener | undefined
  #sent = 0
  #shown = 0
  #typed = 0
  #isEnded = false
  /** Of one that may come back. */
  #resumable: Resumable | undefined
  #away: { readonly since: number; readonly timer: NodeJS.Timeout } | undefined
  readonly #missed: Told[] = []
  readonly #left = Promise.withResolvers<void>()
  /** Resolves once it has disconnected, and does not come back. */
  readonly left: Promise<void> = this.#left.promise

  /** @param isCommand it has no terminal */
  constructor(socket: ClientSocket, isCommand = false) {
    this.#isCommand = isCommand
    this.#socket = socket
    this.#follow(socket)
  }

  /** Nothing more is to be sent until `room`. What runs does not wait for a client that is away. */
  get isFull(): boolean {
    return !this.#away && (this.#sent - this.#shown >= windowBytes || this.#socket.isFull)
  }

  /** Gets what has arrived before, too. */
  attach(listener: ShellClientListener): void {
    this.#listener = listener
    if (this.#away) listener.away?.(this.#resumable?.forMs ?? 0)
    else this.#socket.attach((data, isBinary) => this.#receive(data, isBinary))
  }

  /** From now on it may be lost, and come back with this key. */
  offer(offer: ResumeOffer): void {
    if (this.#isEnded) return
    this.#resumable = { forMs: offer.forMs, kept: new KeptOutput(this.#sent) }
    this.#socket.watch()
    this.tell({ resume: offer })
  }

  /**
   * It is back, on another websocket; the one that it had is closed.
   * @param received bytes of the terminal that it has
   * @returns false: the session is over, or was never to be resumed
   */
  goOn(socket: ClientSocket, received: number, offer: ResumeOffer): boolean {
    if (this.#isEnded || !this.#resumable || received > this.#sent) return false
    const { kept } = this.#resumable
    const awayMs = this.#away ? performance.now() - this.#away.since : 0
    this.#leaveSocket()
    this.#socket = socket
    this.#follow(socket)
    const skipped = Math.max(0, kept.from - received)
    kept.release(received)
    this.#shown = Math.max(received, kept.from)
    socket.watch()
    socket.tell({ resumed: { skipped, typed: this.#typed } })
    socket.tell({ resume: offer })
    for (const message of this.#missed.splice(0)) socket.tell(message)
    if (kept.bytes > 0) socket.send(kept.all())
    this.#listener?.back?.(awayMs, skipped)
    socket.attach((data, isBinary) => this.#receive(data, isBinary))
    return true
  }

  /** @param isStderr of a command: what it wrote there */
  send(bytes: Buffer, isStderr = false): void {
    if (this.#isCommand && isStderr !== this.#isStderr) {
      this.#isStderr = isStderr
      this.tell({ stream: isStderr ? 'stderr' : 'stdout' })
    }
    this.#sent += bytes.length
    this.#resumable?.kept.push(bytes)
    if (this.#away) this.#resumable?.kept.trim(mostKeptBytes)
    else this.#socket.send(bytes)
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
    if (!this.#away) this.#socket.tell(message)
    else if (this.#missed.push(message) > mostMissed) this.#missed.shift()
  }

  pause(): void {
    this.#socket.pause()
  }

  resume(): void {
    this.#socket.resume()
  }

  /** The session has not opened. */
  refuse(error: BrokerError): void {
    this.#close(() => this.#socket.refuse(error))
  }

  /** It has opened, but its target cannot be reached, or refuses it. */
  sayError(error: BrokerError): void {
    if (!this.#isCommand) this.sayEnd(errorText(error)) // else what follows says it
    this.refuse(error)
  }

  /** The session is over, by one of its sides. */
  end(): void {
    this.#close(() => this.#socket.close())
  }

  cut(reason: EndReason): void {
    this.#close(() => this.#socket.close(sessionCutCode, reason))
  }

  #close(close: () => void): void {
    this.#isEnded = true
    clearTimeout(this.#away?.timer)
    close()
  }

  #follow(socket: ClientSocket): void {
    socket.onRoom = () => {
      if (this.#socket === socket && !this.#isEnded && !this.isFull) this.#listener?.room()
    }
    void socket.closed.then((how) => {
      if (this.#socket !== socket) return
      if (how === 'lost' && this.#resumable && !this.#isEnded) this.#goAway(this.#resumable)
      else this.#left.resolve()
    })
  }

  #goAway({ forMs, kept }: Resumable): void {
    this.#away = { since: performance.now(), timer: setTimeout(() => this.#left.resolve(), forMs) }
    kept.trim(mostKeptBytes)
    this.#listener?.away?.(forMs)
  }

  /** Of a client that has another one now. */
  #leaveSocket(): void {
    clearTimeout(this.#away?.timer)
    if (!this.#away) this.#socket.tell({ end: goesOnElsewhere })
    this.#away = undefined
    this.#socket.close()
  }

  #receive(data: Buffer, isBinary: boolean): void {
    const listener = this.#listener
    if (this.#isEnded || !listener) return
    if (!isBinary) this.#receiveText(data, listener)
    else if (data.length > 0) {
      this.#typed += data.length
      listener.input(data)
    }
  }

  #receiveText(data: Buffer, listener: ShellClientListener): void {
    const message = readMessage(data)
    if (message?.resize) listener.resize(message.resize)
    else if (message?.ping !== undefined) this.#answer(message.ping)
    else if (message?.ack !== undefined && message.ack >= this.#shown && message.ack <= this.#sent) {
      this.#shown = message.ack
      this.#resumable?.kept.release(message.ack)
      if (!this.isFull) listener.room()
    } else listener.violated(new BrokerError('PROTOCOL_ERROR', 'a text message that no terminal sends'))
  }

  /** One that reads no answers gets none. */
  #answer(ping: number): void {
    if (this.#socket.waitingBytes < windowBytes) this.tell({ pong: ping, typed: this.#typed })
  }
}

interface ClientMessage {
  readonly resize?: TerminalSize
  readonly ack?: number
  readonly ping?: number
}

/** @returns undefined for anything but one of the client's messages */
function readMessage(data: Buffer): ClientMessage | undefined {
  if (data.length > longestText) return undefined
  const message = parseObject(data)
  const [name, ...more] = Object.keys(message)
  if (more.length > 0) return undefined
  if (name === 'ack' && Number.isSafeInteger(message.ack)) return { ack: Number(message.ack) }
  if (name === 'ping' && Number.isSafeInteger(message.ping)) return { ping: Number(message.ping) }
  if (name !== 'resize' || typeof message.resize !== 'object' || message.resize === null) return undefined
  const { cols, rows } = message.resize as Record<string, unknown>
  const size = { cols: Number(cols), rows: Number(rows) }
  return isTerminalSize(size) ? { resize: size } : undefined
}
