import type { Duplex } from 'node:stream'
import { BrokerError } from '../session.ts'
import { WireError } from '../wire/postgres/messages.ts'

/** Longest message a server may send before the session is open; its error texts are the longest. */
const maxMessageBytes = 65_536

/**
 * A server while we sign in to it: reads exactly what is needed. Whoever holds it destroys the stream to give a wait up.
 * {@link release} it in the end; then the stream can be read in any way.
 */
export class ServerLine {
  readonly #stream: Duplex
  #failure: Error | undefined
  #more = Promise.withResolvers<void>()
  readonly #onReadable = () => this.#more.resolve()
  readonly #onGone = () => this.#fail(new BrokerError('TARGET_LOST', 'it closed the connection during sign-in'))
  readonly #onError = (error: Error) => this.#fail(error)

  constructor(stream: Duplex) {
    this.#stream = stream
    stream.on('readable', this.#onReadable)
    stream.on('end', this.#onGone).on('close', this.#onGone).on('error', this.#onError)
  }

  /** @throws Error of the stream, or BrokerError TARGET_LOST */
  async read(length: number): Promise<Buffer> {
    for (;;) {
      this.#more = Promise.withResolvers()
      const chunk: Buffer | null = this.#stream.read(length)
      if (chunk?.length === length) return chunk
      if (this.#failure) throw this.#failure
      if (chunk)
        this.#onGone() // what was left before the end
      else await this.#more.promise
    }
  }

  /** One message of a server. @throws WireError before anything is allocated by a length that can't be */
  async readMessage(): Promise<{ type: string; head: Buffer; body: Buffer }> {
    const head = await this.read(5)
    const length = head.readUInt32BE(1) - 4
    if (length < 0 || length > maxMessageBytes) throw new WireError('invalid length of a message during sign-in')
    const body = length === 0 ? Buffer.alloc(0) : await this.read(length)
    return { type: String.fromCharCode(head[0] as number), head, body }
  }

  get hasMore(): boolean {
    return this.#stream.readableLength > 0
  }

  /** What arrived and wasn't read. */
  takeAhead(): Buffer {
    const ahead: Buffer | null = this.#stream.read()
    return ahead ?? Buffer.alloc(0)
  }

  release(): void {
    const stream = this.#stream
    stream.off('readable', this.#onReadable)
    stream.off('end', this.#onGone).off('close', this.#onGone).off('error', this.#onError)
  }

  #fail(error: Error): void {
    this.#failure ??= error
    this.#more.resolve()
  }
}
