import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { type SecureContext, TLSSocket } from 'node:tls'
import { BrokerError } from '../session.ts'

/** The client went away of its own accord: nothing to say, nothing to count (psql does so to prompt for a password). */
export class ClientLeft extends Error {}

const nobodyListens = (): void => {}

/**
 * A client that signs in: reads exactly what it needs, never by a declared length that wasn't checked, and gives every
 * wait up at one deadline for the whole sign-in, or when the client closes. {@link release} it in the end.
 * Errors of its streams are caught by a listener that stays, so that none goes unhandled before or after.
 */
export class ClientLine {
  #stream: Duplex
  #isSpeakable = true
  readonly #bottom: Duplex
  readonly #given = new AbortController()
  readonly #timer: NodeJS.Timeout
  #more = Promise.withResolvers<void>()
  readonly #onReadable = () => this.#more.resolve()
  readonly #onGone = () => this.#given.abort(new ClientLeft())
  readonly #onError = (error: Error) => this.#given.abort(lossOf(error))

  constructor(stream: Duplex, deadlineMs: number) {
    this.#stream = stream
    this.#bottom = stream
    this.#watch(stream)
    stream.on('readable', this.#onReadable)
    if (stream.destroyed || stream.readableEnded) this.#onGone()
    this.#timer = setTimeout(() => this.#given.abort(new BrokerError('HANDSHAKE_TIMEOUT')), deadlineMs)
  }

  /** Where the client's bytes come from now: the socket, then TLS on it. */
  get stream(): Duplex {
    return this.#stream
  }

  /** Whether the client would understand a message now: not while TLS is being set up. */
  get isSpeakable(): boolean {
    return this.#isSpeakable && !this.#stream.destroyed
  }

  /** Ends the deadline and forgets the client, whose streams go on; they can be read in any way then. */
  release(): void {
    clearTimeout(this.#timer)
    for (const stream of [this.#stream, this.#bottom]) {
      stream.off('readable', this.#onReadable)
      stream.off('end', this.#onGone).off('close', this.#onGone).off('error', this.#onError)
    }
  }

  destroy(): void {
    this.#stream.destroy()
    this.#bottom.destroy()
  }

  write(bytes: Buffer): void {
    this.#stream.write(bytes)
  }

  /** Waits for somebody else, but not longer than for the client. */
  async wait<T>(promise: Promise<T>): Promise<T> {
    const { signal } = this.#given
    const { promise: given, reject } = Promise.withResolvers<never>()
    const onAbort = () => reject(signal.reason)
    signal.addEventListener('abort', onAbort)
    if (signal.aborted) onAbort()
    try {
      return await Promise.race([promise, given])
    } finally {
      signal.removeEventListener('abort', onAbort)
    }
  }

  /** The next byte, which stays to be read. */
  async peek(): Promise<number> {
    const first = await this.#read(1)
    this.#stream.unshift(first)
    return first.readUInt8(0)
  }

  /** Exactly so many bytes. The caller has checked the length. */
  async read(length: number): Promise<Buffer> {
    if (length === 0) return Buffer.alloc(0)
    return await this.#read(length)
  }

  /**
   * A client that asked for encryption waits for the answer, so bytes that are here already were put in by somebody
   * between (CVE-2021-23214).
   * @throws BrokerError PROTOCOL_ERROR
   */
  checkNothingFollows(): void {
    if (this.#stream.readableLength === 0) return
    const hint = 'Somebody on the way may have put them in; connect over another network.'
    throw new BrokerError('PROTOCOL_ERROR', 'unencrypted bytes after an encryption request', { hint })
  }

  /** What arrived so far and wasn't read. */
  takeAhead(): Buffer {
    const ahead: Buffer | null = this.#stream.read()
    return ahead ?? Buffer.alloc(0)
  }

  /**
   * Takes TLS up on the socket, as the server.
   * @param alpnProtocol a client that names application protocols must name this one
   * @throws BrokerError PROTOCOL_ERROR when the handshake fails; the client can't be told then
   */
  async startTls(socket: Socket, secureContext: SecureContext, alpnProtocol: string): Promise<TLSSocket> {
    this.#isSpeakable = false
    socket.off('readable', this.#onReadable)
    const tls = new TLSSocket(socket, { isServer: true, secureContext, ALPNProtocols: [alpnProtocol] })
    tls.disableRenegotiation()
    this.#stream = tls
    this.#watch(tls)
    await this.wait(new Promise<void>((resolve) => tls.once('secure', () => resolve())))
    tls.on('readable', this.#onReadable)
    this.#isSpeakable = true
    return tls
  }

  #watch(stream: Duplex): void {
    stream.on('error', nobodyListens)
    stream.on('error', this.#onError)
    stream.on('end', this.#onGone)
    stream.on('close', this.#onGone)
  }

  /** One listener for all reads: a new one would be called at once for every byte that isn't enough, without end. */
  async #read(length: number): Promise<Buffer> {
    for (;;) {
      this.#given.signal.throwIfAborted()
      this.#more = Promise.withResolvers()
      const chunk: Buffer | null = this.#stream.read(length)
      if (chunk?.length === length) return chunk
      if (chunk) throw new ClientLeft() // the rest, before the end
      await this.wait(this.#more.promise)
    }
  }
}

/** TLS that failed is a failure; a connection that was lost is not. */
function lossOf(error: NodeJS.ErrnoException): Error {
  if (!error.code?.startsWith('ERR_SSL_') && error.code !== 'EPROTO')
    return new ClientLeft(error.message, { cause: error })
  return new BrokerError('PROTOCOL_ERROR', 'TLS failed', { cause: error })
}
