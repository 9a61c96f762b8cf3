import { once } from 'node:events'
import type { IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'
import { type ConnectionOptions, createSecureContext, type SecureContext } from 'node:tls'
import { type ClientOptions, WebSocket } from 'ws'
import type { ChannelTicket } from '../session.ts'
import { unlessAborted } from '../streams/abortable.ts'
import { encodeOpenDataChannel } from '../wire/ssm/payloads.ts'
import { WireError } from '../wire/wire-error.ts'
import { roundRobin, Share } from './round-robin.ts'
import { makeUuid } from './uuid.ts'

/** Agents end sessions of older clients, which would send keepalives inside port sessions. */
export const clientVersion = '1.2.650.0'

const handshakeMs = 20_000
/** Agents send 1,024 bytes of data; the most that the service's other channel takes is 142,000. */
const maxMessageBytes = 160 * 1024
/** Of what a peer does not take, before nothing more is read from it: each of its messages is acknowledged. */
const mostUnsentBytes = 1024 * 1024
/** For the peer's answer to our closing. */
const closeMs = 1000
const binary = { binary: true } as const

export interface ConnectionListener {
  message(bytes: Buffer): void
  /**
   * Once, unless we closed it.
   * @param why WireError: the peer violated the websocket protocol, or sent more than a message may be
   * @param wasStable it had stood for `stableMs`, and the peer had answered
   */
  lost(why: Error, wasStable: boolean): void
}

export interface ConnectionTimes {
  /** Between pings; a peer that does not answer until the next is gone. */
  readonly pingMs: number
  readonly stableMs: number
}

/** One websocket of a session, opened with its token. Its messages take turns with those of the others. */
export class Connection {
  /** Of all of them: one each would be a tenth of what a shell takes of memory. */
  static #tls: SecureContext | undefined
  readonly #socket: WebSocket
  readonly #listener: ConnectionListener
  readonly #ping: NodeJS.Timeout
  /** Under the websocket, once it is open: what is sent in one go is one write. */
  #wire: Socket | undefined
  #isCorked = false
  readonly #uncork = (): void => this.#write()
  readonly #share = new Share()
  /** What came before its turn: at most what was read at once. */
  readonly #inbox: Buffer[] = []
  #isWaiting = false
  /** Messages that it may handle as they come, whatever the time. */
  #allowed = 0
  /** Said once the inbox is empty. */
  #loss: (() => void) | undefined
  #isHeard = true
  #isPaused = false
  /** As much as may be is unsent; how often in a row that was found so. */
  #isClogged = false
  #clogs = 0
  readonly #flushed = (): void => this.#unclog()
  #openedAt = Number.POSITIVE_INFINITY
  /** It has answered a ping. */
  #hasAnswered = false
  #violation: WireError | undefined
  /** Its owner has it. */
  #isOpen = false
  #isLeft = false

  private constructor(socket: WebSocket, listener: ConnectionListener, times: ConnectionTimes) {
    this.#socket = socket
    this.#listener = listener
    this.#ping = setInterval(() => this.#checkAlive(), times.pingMs).unref()
    socket.once('upgrade', ({ socket: wire }: IncomingMessage) => {
      this.#wire = wire
    })
    socket.on('message', (data) => this.#receive(data as Buffer))
    socket.on('pong', () => {
      this.#isHeard = true
      this.#hasAnswered = true
    })
    socket.on('error', (error) => {
      // followed by `close`, whose code is that of the peer
      if (isViolation(error)) this.#violation = new WireError(`the websocket: ${error.message}`)
    })
    socket.once('close', (code, reason) => {
      clearInterval(this.#ping)
      if (!this.#isOpen || this.#isLeft) return
      const wasStable = this.#hasAnswered && performance.now() - this.#openedAt >= times.stableMs
      this.#loss = () => listener.lost(this.#violation ?? closedWith(code, reason), wasStable)
      if (this.#isPaused) this.#inbox.length = 0 // it was not acknowledged, so it comes again on the next connection
      this.#settle()
    })
  }

  /** @throws Error when it cannot be opened, ABORT_ERR */
  static async open(
    { url, token, headers }: ChannelTicket,
    clientId: string,
    listener: ConnectionListener,
    times: ConnectionTimes,
    signal: AbortSignal,
  ): Promise<Connection> {
    Connection.#tls ??= createSecureContext()
    const options: ClientOptions & Pick<ConnectionOptions, 'secureContext'> = {
      headers,
      handshakeTimeout: handshakeMs,
      maxPayload: maxMessageBytes,
      perMessageDeflate: false,
      secureContext: Connection.#tls,
    }
    const socket = new WebSocket(url, options)
    const connection = new Connection(socket, listener, times)
    try {
      await unlessAborted(signal, once(socket, 'open'))
      if (socket.readyState !== WebSocket.OPEN) throw new Error('the data channel was closed at once')
    } catch (error) {
      connection.terminate()
      throw error
    }
    connection.#isOpen = true
    connection.#openedAt = performance.now()
    socket.send(encodeOpenDataChannel({ requestId: makeUuid(), token, clientId, clientVersion }))
    socket.ping('keepalive')
    return connection
  }

  #receive(bytes: Buffer): void {
    this.#isHeard = true
    if (this.#isLeft) return
    if (this.#isWaiting || this.#isPaused || this.#inbox.length > 0) this.#inbox.push(bytes)
    else if (this.#allowed > 0 || !roundRobin.mustWait(this.#share, bytes.length)) {
      this.#allowed = Math.max(0, this.#allowed - 1)
      this.#listener.message(bytes)
    } else {
      this.#inbox.push(bytes)
      this.#wait()
    }
  }

  #wait(): void {
    this.#isWaiting = true
    roundRobin.wait(this)
    this.#flow()
  }

  /** For {@link roundRobin}. */
  take(most: number): void {
    this.#isWaiting = false
    this.#allowed = most
    while (this.#allowed > 0 && !this.#isPaused && !this.#isLeft) {
      const bytes = this.#inbox.shift()
      if (!bytes) break
      this.#allowed -= 1
      this.#listener.message(bytes)
    }
    this.#settle()
  }

  /** What is left has another turn. When nothing is, more is read, or the end is told. */
  #settle(): void {
    if (this.#isLeft || this.#isWaiting) return
    if (this.#inbox.length === 0) {
      this.#flow()
      this.#loss?.()
      this.#loss = undefined
    } else if (!this.#isPaused) this.#wait()
  }

  /** Reads while it need not wait for its turn, what has come is handled, and what is sent is taken. */
  #flow(): void {
    if (this.#isPaused || this.#isClogged || this.#isWaiting || this.#inbox.length > 0) this.#socket.pause()
    else if (this.#socket.isPaused) {
      this.#isHeard = true
      this.#socket.resume()
    }
  }

  send(bytes: Buffer): void {
    if (this.#socket.readyState !== WebSocket.OPEN) return
    if (this.#wire && !this.#isCorked) {
      this.#isCorked = true
      this.#wire.cork()
      process.nextTick(this.#uncork)
    }
    this.#socket.send(bytes, binary, this.#flushed)
    if (this.#isClogged || this.#socket.bufferedAmount <= mostUnsentBytes) return
    this.#isClogged = true
    this.#flow()
  }

  #write(): void {
    this.#isCorked = false
    this.#wire?.uncork()
  }

  #unclog(): void {
    if (!this.#isClogged || this.#socket.bufferedAmount > mostUnsentBytes / 2) return
    this.#isClogged = false
    this.#flow()
  }

  /** Stops reading, so that the service and the agent behind it stop sending. */
  pause(): void {
    this.#isPaused = true
    this.#flow()
  }

  resume(): void {
    this.#isPaused = false
    this.#settle()
  }

  close(): void {
    this.#leave()
    this.#socket.close(1000)
    const timer = setTimeout(() => this.#socket.terminate(), closeMs)
    this.#socket.once('close', () => clearTimeout(timer))
    if (this.#socket.isPaused) this.#socket.resume()
  }

  terminate(): void {
    this.#leave()
    this.#socket.terminate()
  }

  #leave(): void {
    this.#isLeft = true
    this.#inbox.length = 0
    roundRobin.leave(this)
    clearInterval(this.#ping)
  }

  /** A peer that is gone answers no ping, and takes nothing. While we don't read, no answer can be seen. */
  #checkAlive(): void {
    this.#clogs = this.#isClogged ? this.#clogs + 1 : 0
    if (this.#clogs > 1 || (!this.#isHeard && !this.#socket.isPaused)) {
      this.#socket.terminate()
      return
    }
    this.#isHeard = false
    if (this.#socket.readyState === WebSocket.OPEN) this.#socket.ping()
  }
}

/** What `ws` finds wrong in what it receives. */
function isViolation(error: Error): boolean {
  return 'code' in error && String(error.code).startsWith('WS_ERR_')
}

function closedWith(code: number, reason: Buffer): Error {
  return new Error(`the data channel was closed with ${code} ${reason.toString()}`.trimEnd())
}
