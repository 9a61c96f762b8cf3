import type { Socket } from 'node:net'
import { AnswerReader, type AnswerSink } from '../../wire/http1/answer-reader.ts'
import { WireError } from '../../wire/wire-error.ts'

/** Who waits for an answer. */
export interface Asker extends AnswerSink {
  /** The connection has ended before the answer. @param error what was wrong with it; left out: the cluster closed it */
  lost(error?: WireError): void
  /** The cluster takes more again. */
  flow(): void
}

/** A connection to the API server that carries one request after the other. */
export class TargetConnection {
  readonly #socket: Socket
  readonly #onOver: (connection: TargetConnection) => void
  #asker: Asker | undefined
  #reader: AnswerReader | undefined
  /** Requests that it was given. */
  #asked = 0
  /** In order, and not by an error. */
  #hasEnded = false
  /** When its last answer ended, milliseconds of `performance.now()`. */
  unusedSince = 0

  /** @param onOver it takes no more requests */
  constructor(socket: Socket, onOver: (connection: TargetConnection) => void) {
    this.#socket = socket
    this.#onOver = onOver
    socket.on('data', (chunk: Buffer) => this.#onData(chunk))
    socket.on('end', () => {
      this.#hasEnded = true
    })
    socket.on('close', () => this.#onClose())
    socket.on('error', () => {}) // followed by `close`
  }

  get isOver(): boolean {
    return this.#socket.destroyed || !this.#socket.readable
  }

  /** It has carried another request before this one: the cluster may have closed it meanwhile. */
  get isReused(): boolean {
    return this.#asked > 1
  }

  /** @param request its head, latin1 @param isHead its method is HEAD */
  ask(asker: Asker, request: string, isHead: boolean): void {
    this.#asked += 1
    this.#asker = asker
    this.#reader = new AnswerReader(asker, isHead)
    this.#socket.write(request, 'latin1')
  }

  /** Bytes of the body that are to come at least. */
  get left(): number {
    return this.#reader?.left ?? 0
  }

  /** As {@link AnswerReader.isAfterLine}. */
  get isAfterLine(): boolean {
    return this.#reader?.isAfterLine ?? false
  }

  pause(): void {
    this.#socket.pause()
  }

  resume(): void {
    this.#socket.resume()
  }

  /** Nobody waits for an answer any more. */
  release(): void {
    this.#asker = undefined
    this.#reader = undefined
  }

  destroy(): void {
    this.release()
    this.#socket.destroy()
  }

  #onData(chunk: Buffer): void {
    const reader = this.#reader
    if (!reader) {
      this.destroy() // nothing was asked for
      return
    }
    try {
      reader.push(chunk)
    } catch (error) {
      if (!(error instanceof WireError)) throw error
      this.#lose(error)
    }
  }

  #onClose(): void {
    this.#onOver(this)
    if (this.#hasEnded && this.#reader?.close()) return
    this.#lose()
  }

  #lose(error?: WireError): void {
    const asker = this.#asker
    this.destroy()
    asker?.lost(error)
  }
}
