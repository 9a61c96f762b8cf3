import { setTimeout as wait } from 'node:timers/promises'
import type { WebSocket } from 'ws'
import { BrokerError } from '../session.ts'
import { ClientLeft } from '../streams/client-line.ts'

const normalCode = 1000
/** RFC 6455: the connection went without a closing frame. And the client's own, which took it for lost and may come back. */
const lostCodes = [1006, 4000]
/** Typed before the session has begun, at most. */
const mostEarlyBytes = 64 * 1024
const mostEarlyMessages = 1024
/** That the network has not taken, at most: messages of one byte cost a thousand times what they say. */
const mostUnsent = 1024
/** For the first message. */
const firstMs = 30_000
/** For the last bytes, and the client's answer to our closing. */
const lingerMs = 2000
/** Between two pings; a client that has not answered one by the next is lost. */
const pingMs = 10_000
const binary = { binary: true } as const

export type MessageListener = (data: Buffer, isBinary: boolean) => void

/** One websocket of a terminal's client. What arrives before there is a listener is kept, up to a bound. */
export class ClientSocket {
  readonly #socket: WebSocket
  #listener: MessageListener | undefined
  readonly #early: [data: Buffer, isBinary: boolean][] = []
  #earlyBytes = 0
  #isEnded = false
  #unsent = 0
  readonly #onTaken = (): void => this.#taken()
  /** More can be sent again. */
  onRoom: () => void = () => {}
  /** Resolves once it is closed: whether the client has said so, or was lost. */
  readonly closed: Promise<'left' | 'lost'>

  constructor(socket: WebSocket) {
    this.#socket = socket
    const { promise, resolve } = Promise.withResolvers<'left' | 'lost'>()
    this.closed = promise
    socket.on('message', (data: Buffer, isBinary: boolean) => this.#receive(data, isBinary))
    socket.on('error', () => {}) // followed by `close`
    socket.once('close', (code) => resolve(lostCodes.includes(code) ? 'lost' : 'left'))
  }

  get isOpen(): boolean {
    return !this.#isEnded && this.#socket.readyState === this.#socket.OPEN
  }

  /** The network has too many messages to take. */
  get isFull(): boolean {
    return this.#unsent >= mostUnsent
  }

  #taken(): void {
    this.#unsent -= 1
    if (this.#unsent === mostUnsent - 1) this.onRoom()
  }

  /** Sent and not taken by the network yet. */
  get waitingBytes(): number {
    return this.#socket.bufferedAmount
  }

  /**
   * The first message, where it says what is asked.
   * @param read undefined: it does not
   * @throws BrokerError PROTOCOL_ERROR, HANDSHAKE_TIMEOUT; ClientLeft
   */
  async first<T>(what: string, read: (text: Buffer) => T | undefined): Promise<T> {
    const message = Promise.withResolvers<T>()
    this.#listener = (data, isBinary) => {
      this.#listener = undefined // what follows waits for the next listener
      const asked = isBinary ? undefined : read(data)
      if (asked === undefined) message.reject(new BrokerError('PROTOCOL_ERROR', `the first message is no ${what}`))
      else message.resolve(asked)
    }
    this.#deliver()
    const inTime = new AbortController()
    const late = wait(firstMs, undefined, { signal: inTime.signal, ref: false }).then((): never => {
      throw new BrokerError('HANDSHAKE_TIMEOUT', `no ${what} came`)
    })
    const left = this.closed.then((): never => {
      throw new ClientLeft()
    })
    for (const one of [late, left, message.promise]) one.catch(() => {}) // the first one counts
    try {
      return await Promise.race([message.promise, late, left])
    } finally {
      inTime.abort()
    }
  }

  /** Gets what has arrived before, too. */
  attach(listener: MessageListener): void {
    this.#listener = listener
    this.#deliver()
    this.resume()
  }

  /** Closes it when the client no longer answers. */
  watch(): void {
    const socket = this.#socket
    let isAnswered = true
    socket.on('pong', () => {
      isAnswered = true
    })
    const timer = setInterval(() => {
      if (!isAnswered && !socket.isPaused) socket.terminate()
      isAnswered = socket.isPaused // its answers are not read
      socket.ping()
    }, pingMs).unref()
    socket.once('close', () => clearInterval(timer))
  }

  send(bytes: Buffer): void {
    if (!this.isOpen) return
    this.#unsent += 1
    this.#socket.send(bytes, binary, this.#onTaken)
  }

  tell(message: object): void {
    if (!this.isOpen) return
    this.#unsent += 1
    this.#socket.send(JSON.stringify(message), this.#onTaken)
  }

  pause(): void {
    if (this.isOpen) this.#socket.pause()
  }

  resume(): void {
    if (this.#socket.isPaused) this.#socket.resume()
  }

  /** What was asked is not done. */
  refuse({ code, message, hint }: BrokerError): void {
    this.tell({ error: { code, message, ...(hint === undefined ? {} : { hint }) } })
    this.close()
  }

  close(code = normalCode, reason = ''): void {
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
    if (this.#listener) {
      this.#listener(data, isBinary)
      return
    }
    this.#early.push([data, isBinary])
    this.#earlyBytes += data.length
    if (this.#earlyBytes >= mostEarlyBytes || this.#early.length >= mostEarlyMessages) this.pause()
  }

  #deliver(): void {
    this.#earlyBytes = 0
    for (const [data, isBinary] of this.#early.splice(0)) this.#receive(data, isBinary)
  }
}
