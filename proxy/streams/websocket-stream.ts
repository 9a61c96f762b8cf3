/**
 * Bytes over a websocket (RFC 6455): binary messages only, whose boundaries have no meaning. Used by the daemon and by
 * the local proxy. A websocket has no half-close, so the stream's end does not close it: its owner does, with the code that
 * says why. See {@link lingerMs}.
 */
import { Duplex, type DuplexOptions } from 'node:stream'
import type { RawData, WebSocket } from 'ws'

/** Longest message sent; the other side refuses longer ones. */
export const maxMessageBytes = 1024 * 1024
/** An ended stream leaves its websocket open this long for its owner to close it with a code; then it is closed with 1000. */
const lingerMs = 5000

const binary = { binary: true } as const
const unsupportedData = 1003
const internalError = 1011

type Done = (error?: Error | null) => void

/**
 * An open websocket as a byte stream with back-pressure both ways: a reader that stops pauses the peer, and a write is
 * done when its bytes have left for the kernel.
 * - `end()` flushes; close the websocket after `finish`, or it is closed with 1000 after 5 s.
 * - `destroy()` drops the connection at once, unless everything was flushed; `destroy(error)` closes it with 1011.
 * - A peer that closes or is lost ends the readable side; what was or is written then goes nowhere, as with TCP. So what
 *   arrived before can still be read.
 * - A text message destroys the stream with an error and closes the websocket with 1003.
 * - Errors are for the reader to handle; before it listens they are only kept from going unhandled.
 */
export function websocketDuplex(socket: WebSocket, options: WebsocketOptions = {}): Duplex {
  return new WebsocketStream(socket, options)
}

export interface WebsocketOptions extends DuplexOptions {
  /** Gets text messages, which are then allowed. */
  text?(message: Buffer): void
}

class WebsocketStream extends Duplex {
  readonly #socket: WebSocket
  readonly #onMessage: (data: RawData, isBinary: boolean) => void
  readonly #text: WebsocketOptions['text']
  /** Of the one write in progress; kept here so that no closure is made per write. */
  #done: Done | undefined
  readonly #flushed = (): void => this.#done?.()

  constructor(socket: WebSocket, { text, ...options }: WebsocketOptions) {
    super({ ...options, objectMode: false, allowHalfOpen: false })
    this.on('error', () => {}) // an owner may have to wait for something before it reads
    this.#socket = socket
    this.#text = text
    this.#onMessage = (data, isBinary) => this.#receive(data, isBinary)
    socket.binaryType = 'nodebuffer'
    socket.on('message', this.#onMessage)
    socket.on('error', (error) => this.destroy(error)) // stays: an error after the stream's end must not go unhandled
    if (socket.readyState === socket.CLOSED) this.push(null)
    else socket.once('close', () => this.push(null))
  }

  #receive(data: RawData, isBinary: boolean): void {
    if (!isBinary && this.#text && Buffer.isBuffer(data)) this.#text(data)
    else if (!isBinary || !Buffer.isBuffer(data)) {
      this.#socket.close(unsupportedData, 'binary messages only')
      this.destroy(new Error('the peer sent a text message where only binary ones are allowed'))
    } else if (data.length > 0 && !this.push(data)) this.#socket.pause()
  }

  override _read(): void {
    if (this.#socket.isPaused) this.#socket.resume()
  }

  override _write(chunk: Buffer, _encoding: string, done: Done): void {
    this.#done = done
    this.#send(chunk, this.#flushed)
  }

  override _writev(writes: { chunk: Buffer }[], done: Done): void {
    this.#done = done
    writes.forEach(({ chunk }, i) => {
      this.#send(chunk, i === writes.length - 1 ? this.#flushed : undefined)
    })
  }

  #send(chunk: Buffer, flushed?: () => void): void {
    if (this.#socket.readyState !== this.#socket.OPEN) {
      flushed?.() // as with TCP: the end of the readable side reports that the peer is gone
      return
    }
    let from = 0
    for (; chunk.length - from > maxMessageBytes; from += maxMessageBytes)
      this.#socket.send(chunk.subarray(from, from + maxMessageBytes), binary)
    this.#socket.send(from === 0 ? chunk : chunk.subarray(from), binary, flushed)
  }

  override _final(done: () => void): void {
    const timer = setTimeout(() => this.#socket.close(1000), lingerMs).unref()
    this.#socket.once('close', () => clearTimeout(timer))
    done()
  }

  override _destroy(error: Error | null, done: Done): void {
    this.#socket.off('message', this.#onMessage)
    if (error) this.#socket.close(internalError)
    else if (!this.writableFinished) this.#socket.terminate()
    this.#socket.resume() // a paused websocket would never read the closing frame
    done(error)
  }
}
