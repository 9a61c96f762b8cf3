import { once } from 'node:events'
import { type ConnectionOptions, createSecureContext, type SecureContext } from 'node:tls'
import { type ClientOptions, WebSocket } from 'ws'
import type { ChannelTicket } from '../session.ts'
import { unlessAborted } from '../streams/abortable.ts'
import { encodeOpenDataChannel } from '../wire/ssm/payloads.ts'
import { WireError } from '../wire/wire-error.ts'
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

/** One websocket of a session, opened with its token. */
export class Connection {
  /** Of all of them: one each would be a tenth of what a shell takes of memory. */
  static #tls: SecureContext | undefined
  readonly #socket: WebSocket
  readonly #ping: NodeJS.Timeout
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
    this.#ping = setInterval(() => this.#checkAlive(), times.pingMs).unref()
    socket.on('message', (data) => {
      this.#isHeard = true
      if (!this.#isLeft) listener.message(data as Buffer)
    })
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
      listener.lost(this.#violation ?? closedWith(code, reason), wasStable)
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
      allowSynchronousEvents: false, // one message of each in turn: a chunk may hold hundreds, and the others would wait
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

  send(bytes: Buffer): void {
    if (this.#socket.readyState !== WebSocket.OPEN) return
    this.#socket.send(bytes, binary, this.#flushed)
    if (this.#isClogged || this.#socket.bufferedAmount <= mostUnsentBytes) return
    this.#isClogged = true
    this.#socket.pause()
  }

  #unclog(): void {
    if (!this.#isClogged || this.#socket.bufferedAmount > mostUnsentBytes / 2) return
    this.#isClogged = false
    if (!this.#isPaused) this.resume()
  }

  /** Stops reading, so that the service and the agent behind it stop sending. */
  pause(): void {
    this.#isPaused = true
    this.#socket.pause()
  }

  resume(): void {
    this.#isPaused = false
    if (this.#isClogged) return
    this.#isHeard = true
    this.#socket.resume()
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
