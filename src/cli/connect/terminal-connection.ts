import { WebSocket } from 'ws'
import { lostBroker, readBrokerMessage, toRefusal } from '../../../proxy/local/broker-messages.ts'
import { TerminalPosition } from '../../../proxy/local/terminal-position.ts'
import { BrokerError, sessionCutCode } from '../../../proxy/session.ts'

const normalCode = 1000
const pingMs = 5000
/** Without a word in spite of a ping. */
const silentMs = 10_000
/** Between two attempts to go on. */
const retryMs = 1000
/** For one of them. */
const attemptMs = 8000

export interface TerminalListener {
  /** @param shown to be called once it is written */
  output(bytes: Buffer, shown: () => void): void
  notice(text: string): void
  stream(name: unknown): void
  exit(code: number): void
  /** The connection is lost, and the session waits so long for another one. */
  away(forMs: number): void
  /** @param skipped bytes of output that were not kept @param isTypedLost what was typed last did not arrive */
  back(skipped: number, isTypedLost: boolean): void
  ended(end: TerminalEnd): void
}

export type TerminalEnd =
  | { readonly how: 'closed' }
  | { readonly how: 'cut'; readonly reason: string }
  | { readonly how: 'failed'; readonly error: BrokerError; readonly isOnScreen: boolean }

/** Opens another websocket, for the same session. @throws BrokerError */
export type Reopen = (signal: AbortSignal, adopt: (socket: WebSocket) => void) => Promise<void>

/** The connection of a terminal or a command to the broker: one websocket, and for a terminal the next one when that is lost. */
export class TerminalConnection {
  readonly #listener: TerminalListener
  readonly #reopen: Reopen | undefined
  readonly #position = new TerminalPosition()
  readonly #leaving = new AbortController()
  #socket: WebSocket | undefined
  #resume: { readonly key: string; readonly forMs: number } | undefined
  #refusal: BrokerError | undefined
  #awayUntil: number | undefined
  #heardAt = 0

  /** @param reopen undefined: what is lost is lost */
  constructor(listener: TerminalListener, reopen: Reopen | undefined) {
    this.#listener = listener
    this.#reopen = reopen
  }

  get isLeaving(): boolean {
    return this.#leaving.signal.aborted
  }

  adopt(socket: WebSocket): void {
    this.#socket = socket
    this.#refusal = undefined
    this.#heardAt = performance.now()
    socket.on('message', (data: Buffer, isBinary: boolean) => this.#receive(data, isBinary))
    socket.on('error', () => {}) // followed by `close`
    const timer = this.#reopen && setInterval(() => this.#watch(socket), pingMs)
    socket.once('close', (code, reason) => {
      clearInterval(timer)
      this.#socket = undefined
      this.#closed(code, String(reason))
    })
    if (this.#awayUntil !== undefined && this.#resume)
      this.say({ resume: { key: this.#resume.key, received: this.#position.received } })
  }

  /** What is typed while the connection is away is dropped. */
  type(bytes: Buffer): void {
    if (this.#awayUntil !== undefined || this.#socket?.readyState !== WebSocket.OPEN) return
    if (this.#reopen) this.#position.type(Uint8Array.from(bytes))
    this.#socket.send(bytes)
  }

  say(message: object): void {
    if (this.#socket?.readyState === WebSocket.OPEN) this.#socket.send(JSON.stringify(message))
  }

  /** Ends the session, also one whose connection is away. */
  leave(): void {
    this.#leaving.abort()
    if (this.#socket) this.#socket.close(normalCode)
    else this.#listener.ended({ how: 'closed' })
  }

  #receive(data: Buffer, isBinary: boolean): void {
    this.#heardAt = performance.now()
    if (isBinary) {
      this.#position.receive(data.length)
      this.#listener.output(data, () => this.#acknowledge(this.#position.show(data.length)))
      return
    }
    const { notice, exit, error, stream, resume, resumed, pong, typed } = readBrokerMessage(data)
    if (pong !== undefined) this.#position.confirm(Number(typed))
    if (resumed !== undefined) this.#goOn(Object(resumed))
    if (resume !== undefined) this.#resume = Object(resume)
    if (stream !== undefined) this.#listener.stream(stream)
    if (typeof notice === 'string') this.#listener.notice(notice)
    if (typeof exit === 'number') this.#listener.exit(exit)
    if (error !== undefined) this.#refusal = toRefusal(error)
  }

  #acknowledge(shown: number | undefined): void {
    if (shown !== undefined) this.say({ ack: shown })
  }

  #watch(socket: WebSocket): void {
    if (performance.now() - this.#heardAt >= pingMs + silentMs) {
      socket.terminate()
      return
    }
    if (!this.#resume) return // an older broker knows no pings
    this.#acknowledge(this.#position.acknowledge())
    this.say({ ping: 1 })
  }

  #closed(code: number, reason: string): void {
    const isElsewhere = this.#refusal?.code === 'SESSION_ELSEWHERE'
    const isLost = code !== normalCode && code !== sessionCutCode
    if (this.#refusal && !isElsewhere) this.#fail(this.#refusal)
    else if (code === sessionCutCode) this.#listener.ended({ how: 'cut', reason })
    else if (this.isLeaving) this.#listener.ended({ how: 'closed' })
    else if (this.#resume && this.#reopen && (isLost || isElsewhere)) this.#goAway(this.#resume.forMs, this.#reopen)
    else if (isLost) this.#fail(lostBroker())
    else this.#listener.ended({ how: 'closed' })
  }

  /** `isOnScreen`: the broker says itself what ends a session that has begun, as long as it is connected. */
  #fail(error: BrokerError): void {
    const isOnScreen = error === this.#refusal && this.#awayUntil === undefined
    this.#listener.ended({ how: 'failed', error, isOnScreen })
  }

  #goAway(forMs: number, reopen: Reopen): void {
    const isFirst = this.#awayUntil === undefined
    this.#awayUntil ??= performance.now() + forMs
    if (isFirst) this.#listener.away(forMs)
    this.#tryIn(isFirst ? 0 : retryMs, reopen)
  }

  #tryIn(ms: number, reopen: Reopen): void {
    setTimeout(() => void this.#try(reopen), ms)
  }

  async #try(reopen: Reopen): Promise<void> {
    const { signal } = this.#leaving
    if (signal.aborted) return
    try {
      await reopen(AbortSignal.any([signal, AbortSignal.timeout(attemptMs)]), (socket) => this.adopt(socket))
    } catch (error) {
      if (signal.aborted) return
      const isUnreachable = error instanceof BrokerError && error.code === 'STORE_UNAVAILABLE'
      if (!isUnreachable) this.#fail(toBrokerError(error))
      else if (performance.now() < (this.#awayUntil ?? 0)) this.#tryIn(retryMs, reopen)
      else this.#fail(lostBroker())
    }
  }

  #goOn({ skipped, typed }: { readonly skipped?: unknown; readonly typed?: unknown }): void {
    this.#awayUntil = undefined
    const missing = this.#position.resume(Number(skipped), Number(typed))
    for (const bytes of missing ?? []) this.#socket?.send(bytes)
    this.#listener.back(Number(skipped), missing === undefined)
  }
}

function toBrokerError(error: unknown): BrokerError {
  return error instanceof BrokerError ? error : new BrokerError('INTERNAL', undefined, { cause: error })
}
