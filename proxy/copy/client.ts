import { setTimeout as wait } from 'node:timers/promises'
import type { WebSocket } from 'ws'
import { Inbox } from '../relay/inbox.ts'
import { BrokerError, type EndReason, sessionCutCode } from '../session.ts'
import { unlessAborted } from '../streams/abortable.ts'
import { ClientLeft } from '../streams/client-line.ts'
import { type ClientMessage, type CopyAsk, readAsk, readClientMessage, type Told } from '../wire/copy/messages.ts'

const normalCode = 1000
/** Sent and not taken yet, at most, so that a cut does not come behind more. */
const windowBytes = 256 * 1024
/** For the first message. */
const askMs = 30_000
/** For the client's answer to our closing. */
const lingerMs = 2000
const binary = { binary: true } as const

export type Incoming = Exclude<ClientMessage, { type: 'ack' }> | { readonly type: 'bytes'; readonly bytes: Buffer }

/** The websocket of a copy, as `proxy/wire/copy/messages.ts` has it. */
export class CopyClient {
  readonly #socket: WebSocket
  readonly #ask = Promise.withResolvers<CopyAsk>()
  readonly #inbox: Inbox<Incoming>
  readonly #left = new AbortController()
  #isAsked = false
  #sent = 0
  #taken = 0
  #room = Promise.withResolvers<void>()

  constructor(socket: WebSocket) {
    this.#socket = socket
    this.#inbox = new Inbox({ pause: () => this.#isOpen && socket.pause(), resume: () => this.#resume() })
    this.#ask.promise.catch(() => {})
    socket.on('message', (data: Buffer, isBinary: boolean) => this.#receive(data, isBinary))
    socket.on('error', () => {}) // followed by `close`
    socket.once('close', () => {
      this.#inbox.close(new ClientLeft())
      this.#left.abort()
    })
  }

  /** Aborted once it has disconnected. */
  get left(): AbortSignal {
    return this.#left.signal
  }

  /** Its first message. @throws BrokerError PROTOCOL_ERROR, HANDSHAKE_TIMEOUT; Error with code ABORT_ERR when it has left */
  async ask(): Promise<CopyAsk> {
    const inTime = new AbortController()
    const late = wait(askMs, undefined, { signal: inTime.signal, ref: false }).then((): never => {
      throw new BrokerError('HANDSHAKE_TIMEOUT', 'it did not say what to copy')
    })
    late.catch(() => {})
    try {
      return await unlessAborted(this.left, Promise.race([this.#ask.promise, late]))
    } finally {
      inTime.abort()
    }
  }

  /** What it sends next. @throws BrokerError PROTOCOL_ERROR; ClientLeft */
  async next(): Promise<Incoming> {
    return await this.#inbox.take()
  }

  tell(message: Told): void {
    this.#send(message)
  }

  /** Resolves once more may be sent. */
  async send(bytes: Buffer): Promise<void> {
    this.#sent += bytes.length
    if (this.#isOpen) this.#socket.send(bytes, binary)
    while (this.#sent - this.#taken >= windowBytes) {
      this.#room = Promise.withResolvers()
      await this.#room.promise
    }
  }

  /** The session has not opened, or has failed. */
  refuse({ code, message, hint }: BrokerError): void {
    this.#send({ error: { code, message, ...(hint === undefined ? {} : { hint }) } })
    this.#close(normalCode, '')
  }

  /** All has been copied that could be. */
  end(): void {
    this.#close(normalCode, '')
  }

  cut(reason: EndReason): void {
    this.#close(sessionCutCode, reason)
  }

  get #isOpen(): boolean {
    return this.#socket.readyState === this.#socket.OPEN
  }

  #send(message: object): void {
    if (this.#isOpen) this.#socket.send(JSON.stringify(message))
  }

  #resume(): void {
    if (this.#socket.isPaused) this.#socket.resume()
  }

  #close(code: number, reason: string): void {
    this.#inbox.discard(new ClientLeft())
    if (this.#socket.readyState === this.#socket.CLOSED) return
    this.#socket.close(code, reason)
    const timer = setTimeout(() => this.#socket.terminate(), lingerMs)
    this.#socket.once('close', () => clearTimeout(timer))
    this.#resume() // a paused websocket would never read the closing frame
  }

  #receive(data: Buffer, isBinary: boolean): void {
    if (!this.#isAsked) {
      this.#isAsked = true
      const ask = isBinary ? undefined : readAsk(data)
      if (ask) this.#ask.resolve(ask)
      else this.#ask.reject(new BrokerError('PROTOCOL_ERROR', 'the first message does not say what to copy'))
    } else if (isBinary) this.#inbox.push({ type: 'bytes', bytes: data }, data.length)
    else this.#receiveText(data)
  }

  #receiveText(data: Buffer): void {
    const message = readClientMessage(data)
    if (message?.type === 'ack' && message.bytes >= this.#taken && message.bytes <= this.#sent) {
      this.#taken = message.bytes
      this.#room.resolve()
    } else if (message && message.type !== 'ack') this.#inbox.push(message, data.length)
    else this.#inbox.discard(new BrokerError('PROTOCOL_ERROR', 'a text message that no copy has'))
  }
}
