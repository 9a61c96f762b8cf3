import type { Duplex } from 'node:stream'
import type { WebSocket } from 'ws'
import { type BrokerError, type EndReason, sessionCutCode } from '../session.ts'
import { websocketDuplex } from '../streams/websocket-stream.ts'

const normalCode = 1000
/** For the client's answer to our closing. */
const lingerMs = 2000

/** What a client of SSH gets before its first byte. */
export interface Ready {
  /** As whom its key signs in. */
  readonly user?: string
  /** Of the SSH server: type and base64, as lines of known_hosts have them. */
  readonly hostKeys?: readonly string[]
}

/**
 * The websocket of a stream. Binary messages are its bytes. Text messages, towards the client alone, are JSON: `{"ready":{…}}` once the
 * instance leads there, `{"notice"}` for the person, and `{"error"}` where the session was refused or has failed.
 */
export class TcpClient {
  readonly #socket: WebSocket
  /** Its bytes; buffered, and then held back, until they are read. */
  readonly stream: Duplex
  readonly #left = new AbortController()

  constructor(socket: WebSocket) {
    this.#socket = socket
    this.stream = websocketDuplex(socket)
    socket.once('close', () => this.#left.abort())
  }

  /** Aborted once it has disconnected. */
  get left(): AbortSignal {
    return this.#left.signal
  }

  tell(message: { readonly ready: Ready } | { readonly notice: string }): void {
    this.#send(message)
  }

  /** The session has not opened, or has failed. */
  refuse({ code, message, hint }: BrokerError): void {
    this.#send({ error: { code, message, ...(hint === undefined ? {} : { hint }) } })
    this.#close(normalCode, '')
  }

  /** The session is over, by one of its sides. */
  end(): void {
    this.#close(normalCode, '')
  }

  cut(reason: EndReason): void {
    this.#close(sessionCutCode, reason)
  }

  #send(message: object): void {
    if (this.#socket.readyState === this.#socket.OPEN) this.#socket.send(JSON.stringify(message))
  }

  #close(code: number, reason: string): void {
    const socket = this.#socket
    if (socket.readyState === socket.CLOSED) return
    socket.close(code, reason)
    const timer = setTimeout(() => socket.terminate(), lingerMs)
    socket.once('close', () => clearTimeout(timer))
    this.stream.resume() // a paused websocket would never read the closing frame
  }
}
