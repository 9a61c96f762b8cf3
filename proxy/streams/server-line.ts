import type { Duplex } from 'node:stream'
import { BrokerError } from '../session.ts'
import { abortError } from './abortable.ts'

/**
 * Reads a server's answers by `use`. An abort destroys the stream; afterwards it can be read in any way.
 * @throws what `use` throws, and the reason of an abort
 */
export async function overLine<T>(
  stream: Duplex,
  signal: AbortSignal,
  use: (line: ServerLine) => Promise<T>,
): Promise<T> {
  const line = new ServerLine(stream)
  const giveUp = () => stream.destroy(abortError())
  signal.addEventListener('abort', giveUp)
  try {
    signal.throwIfAborted()
    return await use(line)
  } finally {
    signal.removeEventListener('abort', giveUp)
    line.release()
  }
}

/**
 * A server while we sign in to it: reads exactly what is needed. The owner destroys the stream to abort a wait, and calls
 * {@link release} at the end; then the stream can be read in any way.
 */
export class ServerLine {
  readonly #stream: Duplex
  #failure: Error | undefined
  #more = Promise.withResolvers<void>()
  readonly #onReadable = () => this.#more.resolve()
  readonly #onClosed = () => this.#fail(new BrokerError('TARGET_LOST', 'it closed the connection during sign-in'))
  readonly #onError = (error: Error) => this.#fail(error)

  constructor(stream: Duplex) {
    this.#stream = stream
    stream.on('readable', this.#onReadable)
    stream.on('end', this.#onClosed).on('close', this.#onClosed).on('error', this.#onError)
  }

  /** Exactly this many bytes. The caller has checked the length. @throws Error of the stream, or BrokerError TARGET_LOST */
  async read(length: number): Promise<Buffer> {
    for (;;) {
      this.#more = Promise.withResolvers()
      const chunk: Buffer | null = length === 0 ? Buffer.alloc(0) : this.#stream.read(length)
      if (chunk?.length === length) return chunk
      if (this.#failure) throw this.#failure
      if (chunk)
        this.#onClosed() // what was left before the end
      else await this.#more.promise
    }
  }

  get hasMore(): boolean {
    return this.#stream.readableLength > 0
  }

  /** Bytes that have arrived but were not read. */
  takeAhead(): Buffer {
    const ahead: Buffer | null = this.#stream.read()
    return ahead ?? Buffer.alloc(0)
  }

  release(): void {
    const stream = this.#stream
    stream.off('readable', this.#onReadable)
    stream.off('end', this.#onClosed).off('close', this.#onClosed).off('error', this.#onError)
  }

  #fail(error: Error): void {
    this.#failure ??= error
    this.#more.resolve()
  }
}
