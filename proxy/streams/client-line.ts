import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { type SecureContext, TLSSocket } from 'node:tls'
import { BrokerError } from '../session.ts'

/** The client disconnected by itself: nothing to report or count (psql does this to prompt for a password). */
export class ClientLeft extends Error {}

const ignore = (): void => {}

/**
 * A client during its sign-in: reads exactly what is needed, never by an unchecked length. Every wait ends at one deadline
 * for the whole sign-in, or when the client closes. Call {@link release} at the end. A permanent listener catches errors of its
 * streams, so that none goes unhandled before or after.
 */
export class ClientLine {
  #stream: Duplex
  #canReply = true
  readonly #bottom: Duplex
  /** Why nothing more can be read. */
  #loss: Error | undefined
  /** Of the wait that is under way. */
  #fail: (loss: Error) => void = ignore
  readonly #timer: NodeJS.Timeout
  #more = Promise.withResolvers<void>()
  readonly #onReadable = () => this.#more.resolve()
  readonly #onClosed = () => this.#lose(new ClientLeft())
  readonly #onError = (error: Error) => this.#lose(lossOf(error))

  constructor(stream: Duplex, deadlineMs: number) {
    this.#stream = stream
    this.#bottom = stream
    this.#watch(stream)
    stream.on('readable', this.#onReadable)
    if (stream.destroyed || stream.readableEnded) this.#onClosed()
    this.#timer = setTimeout(() => this.#lose(new BrokerError('HANDSHAKE_TIMEOUT')), deadlineMs)
  }

  /** Where the client's bytes come from now: the socket, then TLS on it. */
  get stream(): Duplex {
    return this.#stream
  }

  /** Whether the client could read a message now: not during the TLS handshake. */
  get canReply(): boolean {
    return this.#canReply && !this.#stream.destroyed
  }

  /** Stops the deadline and detaches from the streams, which stay open and can then be read in any way. */
  release(): void {
    clearTimeout(this.#timer)
    for (const stream of [this.#stream, this.#bottom]) {
      stream.off('readable', this.#onReadable)
      stream.off('end', this.#onClosed).off('close', this.#onClosed).off('error', this.#onError)
    }
  }

  destroy(): void {
    this.#stream.destroy()
    this.#bottom.destroy()
  }

  write(bytes: Buffer): void {
    this.#stream.write(bytes)
  }

  /** Waits for the promise, but no longer than for the client. One at a time. */
  async wait<T>(promise: Promise<T>): Promise<T> {
    const { promise: lost, reject } = Promise.withResolvers<never>()
    this.#fail = reject
    if (this.#loss) reject(this.#loss)
    try {
      return await Promise.race([promise, lost])
    } finally {
      this.#fail = ignore
    }
  }

  /** The next byte, without consuming it. */
  async peek(): Promise<number> {
    const first = await this.#read(1)
    this.#stream.unshift(first)
    return first.readUInt8(0)
  }

  /** Exactly this many bytes. The caller has checked the length. */
  async read(length: number): Promise<Buffer> {
    if (length === 0) return Buffer.alloc(0)
    return await this.#read(length)
  }

  /**
   * A client that requested encryption waits for the answer, so bytes that have already arrived were injected on the way
   * (CVE-2021-23214).
   * @throws BrokerError PROTOCOL_ERROR
   */
  checkNothingFollows(): void {
    if (this.#stream.readableLength === 0) return
    const hint = 'They may have been injected on the network; connect over another one.'
    throw new BrokerError('PROTOCOL_ERROR', 'unencrypted bytes after an encryption request', { hint })
  }

  /** Bytes that have arrived but were not read. */
  takeAhead(): Buffer {
    const ahead: Buffer | null = this.#stream.read()
    return ahead ?? Buffer.alloc(0)
  }

  /**
   * Starts TLS on the socket, as the server.
   * @param alpnProtocol a client that names application protocols must name this one
   * @throws BrokerError PROTOCOL_ERROR when the handshake fails; the client can't be told then
   */
  async startTls(socket: Socket, secureContext: SecureContext, alpnProtocol: string): Promise<TLSSocket> {
    this.#canReply = false
    socket.off('readable', this.#onReadable)
    const tls = new TLSSocket(socket, { isServer: true, secureContext, ALPNProtocols: [alpnProtocol] })
    tls.disableRenegotiation()
    this.#stream = tls
    this.#watch(tls)
    await this.wait(new Promise<void>((resolve) => tls.once('secure', () => resolve())))
    tls.on('readable', this.#onReadable)
    this.#canReply = true
    return tls
  }

  #watch(stream: Duplex): void {
    if (!stream.listeners('error').includes(ignore)) stream.on('error', ignore)
    stream.on('error', this.#onError)
    stream.on('end', this.#onClosed)
    stream.on('close', this.#onClosed)
  }

  /** One listener for all reads: a new one would fire at once for every incomplete read, in an endless loop. */
  async #read(length: number): Promise<Buffer> {
    for (;;) {
      if (this.#loss) throw this.#loss
      this.#more = Promise.withResolvers()
      const chunk: Buffer | null = this.#stream.read(length)
      if (chunk?.length === length) return chunk
      if (chunk) throw new ClientLeft() // the rest, before the end
      await this.#more.promise
    }
  }

  #lose(loss: Error): void {
    this.#loss ??= loss
    this.#fail(this.#loss)
    this.#more.resolve()
  }
}

/** A TLS failure is an error to report; a lost connection is not. */
function lossOf(error: NodeJS.ErrnoException): Error {
  if (!error.code?.startsWith('ERR_SSL_') && error.code !== 'EPROTO')
    return new ClientLeft(error.message, { cause: error })
  return new BrokerError('PROTOCOL_ERROR', 'the TLS handshake failed', { cause: error })
}
