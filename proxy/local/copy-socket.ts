/** Files to or from an instance, as the broker copies them: one websocket, whose messages `proxy/wire/copy/messages.ts` has. */
import { WebSocket } from 'ws'
import { Inbox } from '../relay/inbox.ts'
import { type BrokerError, sessionCutCode } from '../session.ts'
import { type CopiedFile, type CopiedFolder, type CopyAsk, readTold, type Told } from '../wire/copy/messages.ts'
import { lostBroker, readBrokerMessage, toRefusal } from './broker-messages.ts'
import { type CopySocketAsk, openCopySocket } from './broker-socket.ts'
import { pingRegularly } from './relay.ts'

const normalCode = 1000
/** The broker waits once it has sent four times as much. */
const ackEveryBytes = 64 * 1024

export type CopyEvent = Exclude<Told, { notice: string }> | { readonly bytes: Buffer }

/** The broker cut the session. */
export class CopyCut extends Error {
  /** Its end reason. */
  readonly reason: string

  constructor(reason: string) {
    super('the session was cut')
    this.reason = reason
  }
}

/** What upwards is told of. */
export type Sent = { readonly folder: CopiedFolder } | { readonly file: CopiedFile } | { readonly end: true }

export class CopySocket {
  readonly #socket: WebSocket
  readonly #inbox: Inbox<CopyEvent>
  readonly #pings: NodeJS.Timeout
  #refusal: BrokerError | undefined
  #taken = 0
  #acknowledged = 0

  /**
   * Opens one. The caller leaves it.
   * @param notice of the broker, for the person
   * @throws BrokerError with the code of the broker's refusal; STORE_UNAVAILABLE when there was no answer
   */
  static async open(
    ask: CopySocketAsk & { readonly copy: CopyAsk },
    signal: AbortSignal,
    notice: (text: string) => void,
  ): Promise<CopySocket> {
    return await openCopySocket(ask, signal, (socket) => new CopySocket(socket, ask.copy, notice))
  }

  private constructor(socket: WebSocket, copy: CopyAsk, notice: (text: string) => void) {
    this.#socket = socket
    this.#inbox = new Inbox({
      pause: () => socket.readyState === WebSocket.OPEN && socket.pause(),
      resume: () => socket.isPaused && socket.resume(),
    })
    this.#pings = pingRegularly(socket)
    socket.on('message', (data: Buffer, isBinary: boolean) => {
      if (isBinary) this.#inbox.push({ bytes: data }, data.length)
      else this.#hear(data, notice)
    })
    socket.on('error', () => {}) // followed by `close`
    socket.once('close', (code, reason) => {
      clearInterval(this.#pings)
      this.#inbox.close(this.#refusal ?? (code === sessionCutCode ? new CopyCut(String(reason)) : lostBroker()))
    })
    socket.send(JSON.stringify({ copy }))
  }

  /** What the broker says or sends next. @throws BrokerError, CopyCut: the session is over */
  async next(): Promise<CopyEvent> {
    return await this.#inbox.take()
  }

  /** Bytes that came are where they belong. */
  took(bytes: number): void {
    this.#taken += bytes
    if (this.#taken - this.#acknowledged < ackEveryBytes) return
    this.#acknowledged = this.#taken
    this.#send(JSON.stringify({ ack: this.#taken }))
  }

  tell(message: Sent): void {
    this.#send(JSON.stringify(message))
  }

  /** Bytes of the file that was told of. Resolves once they have left, or nobody takes them any more. */
  async send(bytes: Buffer): Promise<void> {
    await new Promise<void>((resolve) => {
      if (this.#socket.readyState === WebSocket.OPEN) this.#socket.send(bytes, () => resolve())
      else resolve()
    })
  }

  leave(): void {
    if (this.#socket.readyState === WebSocket.OPEN) this.#socket.close(normalCode)
    if (this.#socket.isPaused) this.#socket.resume() // else it would never read the closing frame
  }

  #send(text: string): void {
    if (this.#socket.readyState === WebSocket.OPEN) this.#socket.send(text)
  }

  #hear(data: Buffer, notice: (text: string) => void): void {
    const message = readBrokerMessage(data)
    if (typeof message.notice === 'string') notice(message.notice)
    else if (message.error !== undefined) this.#refusal = toRefusal(message.error)
    else {
      const told = readTold(data)
      if (told) this.#inbox.push(told, data.length)
    }
  }
}
