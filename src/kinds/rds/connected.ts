import { Duplex } from 'node:stream'
import { BrokerError } from '../../../proxy/session.ts'

/** More than all answers of a preflight together ever have. */
const mostBytes = 4 * 1024 * 1024

/**
 * An open stream in the form in which client libraries take a socket: they connect it themselves, and tune it. It breaks off when
 * the other side sends more than could be an answer.
 */
export class Connected extends Duplex {
  readonly #stream: Duplex
  #received = 0

  constructor(stream: Duplex) {
    super()
    this.#stream = stream
    stream.on('data', (chunk: Buffer) => this.#receive(chunk))
    stream.on('end', () => this.push(null))
    stream.on('error', (error) => this.destroy(error))
    stream.on('close', () => this.destroy())
  }

  connect(): this {
    queueMicrotask(() => this.emit('connect'))
    return this
  }

  setNoDelay(): this {
    return this
  }

  setKeepAlive(): this {
    return this
  }

  ref(): this {
    return this
  }

  unref(): this {
    return this
  }

  #receive(chunk: Buffer): void {
    this.#received += chunk.length
    if (this.#received > mostBytes) this.destroy(new BrokerError('TARGET_REFUSED', 'its answers are too long'))
    else if (!this.push(chunk)) this.#stream.pause()
  }

  override _read(): void {
    this.#stream.resume()
  }

  override _write(chunk: Buffer, _: BufferEncoding, done: (error?: Error | null) => void): void {
    this.#stream.write(chunk, done)
  }

  override _final(done: (error?: Error | null) => void): void {
    this.#stream.end(done)
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#stream.destroy()
    done(error)
  }
}
