import { Duplex } from 'node:stream'
import {
  control,
  controlFrame,
  createHeaderReader,
  createHeaderWriter,
  dataFrame,
  fin,
  numbers,
  readFrames,
  SpdyError,
  type SpdyFrame,
} from './spdy-frames.ts'

const cancel = 5

/**
 * One stream of a connection: what it reads is the client's. It has no flow control of its own, so that one which is not read stops
 * the others too, as moby/spdystream does it.
 */
export class SpdyStream extends Duplex {
  readonly id: number
  readonly headers: ReadonlyMap<string, string>
  /** The client sent RST_STREAM with this status; 0: it did not. */
  resetStatus = 0
  readonly #send: (frame: Buffer) => Promise<void>
  #resume: (() => void) | null = null
  #hasEnded = false

  constructor(id: number, headers: ReadonlyMap<string, string>, send: (frame: Buffer) => Promise<void>) {
    super({ emitClose: true })
    this.id = id
    this.headers = headers
    this.#send = send
    this.on('error', () => {}) // who reads or writes it is told
  }

  get streamType(): string {
    return this.headers.get('streamtype') ?? ''
  }

  /** What the client sent; resolves when there is room for more. */
  async receive(data: Buffer): Promise<void> {
    if (this.destroyed || data.length === 0 || this.push(data)) return
    await new Promise<void>((resolve) => {
      this.#resume = resolve
    })
  }

  receiveEnd(): void {
    if (!this.destroyed && !this.#hasEnded) this.push(null)
    this.#hasEnded = true
  }

  receiveReset(status: number): void {
    this.resetStatus = status
    this.destroy()
  }

  override _read(): void {
    this.#resume?.()
    this.#resume = null
  }

  override _write(chunk: Buffer, _encoding: string, done: (error?: Error) => void): void {
    void this.#send(dataFrame(this.id, chunk)).then(() => done(), done)
  }

  override _final(done: (error?: Error) => void): void {
    void this.#send(dataFrame(this.id, Buffer.alloc(0), fin)).then(() => done(), done)
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this._read()
    const isOver = this.writableFinished && this.#hasEnded
    if (!isOver && this.resetStatus === 0)
      void this.#send(controlFrame(control.reset, numbers(this.id, cancel))).catch(() => {})
    done(error)
  }
}

/**
 * The server's side of SPDY/3.1, as kubelets have it: the client opens all streams, each is answered with SYN_REPLY, pings are
 * echoed, windows are read and ignored. A client that does what it may not is dropped, and `violation` says what it was.
 */
export class SpdyConnection {
  /** null: nothing yet */
  violation: string | null = null
  /** Resolves when the client can send nothing any more. */
  readonly closed: Promise<void>
  readonly #socket: Duplex
  readonly #streams = new Map<number, SpdyStream>()
  readonly #onStream: (stream: SpdyStream) => void
  readonly #readHeaders = createHeaderReader()
  readonly #writeHeaders = createHeaderWriter()
  #lastId = 0
  /** We have said goodbye. */
  #isOver = false
  #sending: Promise<void> = Promise.resolve()

  /** @param head what came behind the request */
  constructor(socket: Duplex, head: Buffer, onStream: (stream: SpdyStream) => void) {
    this.#socket = socket
    this.#onStream = onStream
    socket.on('error', () => {}) // `closed` tells
    this.closed = this.#readAll(head)
  }

  /** Bytes as they are, behind what was sent so far. */
  send(bytes: Buffer | (() => Promise<Buffer>)): Promise<void> {
    const sent = this.#sending.then(async () => this.#write(typeof bytes === 'function' ? await bytes() : bytes))
    this.#sending = sent.catch(() => {})
    return sent
  }

  /** Says goodbye and ends the connection: streams that are still open are reset. */
  async end(): Promise<void> {
    this.#isOver = true
    for (const stream of this.#streams.values()) stream.destroy()
    await this.send(controlFrame(control.goAway, numbers(this.#lastId, 0))).catch(() => {})
    this.#socket.end()
  }

  /** Ends the connection behind what was sent, and says no more. */
  cut(): void {
    void this.#sending.then(() => this.#socket.end())
  }

  destroy(): void {
    this.#socket.destroy()
  }

  async #readAll(head: Buffer): Promise<void> {
    let rest = head
    try {
      rest = await this.#take(rest)
      for await (const chunk of this.#socket as AsyncIterable<Buffer>)
        rest = await this.#take(Buffer.concat([rest, chunk]))
      // Behind our goodbye a client may leave at any moment: kubectl ends its process.
      if (rest.length > 0 && !this.#isOver) this.violation ??= 'the connection ended within a frame'
    } catch (error) {
      if (error instanceof SpdyError) this.violation ??= error.message
    } finally {
      this.#socket.destroy()
      for (const stream of this.#streams.values()) stream.receiveReset(cancel)
    }
  }

  async #take(bytes: Buffer): Promise<Buffer> {
    const { frames, rest } = readFrames(bytes)
    for (const frame of frames)
      await (frame.type === 'data'
        ? this.#takeData(frame)
        : this.#takeControl(frame.control, frame.flags, frame.payload))
    return rest
  }

  async #takeData({ id, flags, payload }: SpdyFrame & { type: 'data' }): Promise<void> {
    if (id === 0 || id % 2 === 0 || id > this.#lastId)
      throw new SpdyError(`data on stream ${id}, which was never opened`)
    const stream = this.#streams.get(id)
    if (!stream) return
    await stream.receive(payload)
    if (flags & fin) stream.receiveEnd()
  }

  async #takeControl(type: number, flags: number, payload: Buffer): Promise<void> {
    const need = (bytes: number) => {
      if (payload.length !== bytes) throw new SpdyError(`a control frame ${type} of ${payload.length} bytes`)
    }
    if (type === control.synStream) return this.#open(flags, payload)
    if (type === control.headers || type === control.synReply) throw new SpdyError('headers of a stream come once')
    if (type === control.ping) {
      need(4)
      // Even ones would be ours: none is sent.
      if (payload.readUInt32BE() % 2 === 0) throw new SpdyError('an even ping')
      void this.send(controlFrame(type, payload)).catch(() => {})
    } else if (type === control.reset) {
      need(8)
      this.#streams.get(payload.readUInt32BE())?.receiveReset(payload.readUInt32BE(4))
    } else if (type === control.goAway || type === control.window) need(8)
    else if (type !== control.settings) throw new SpdyError(`a control frame of the unknown type ${type}`)
  }

  async #open(flags: number, payload: Buffer): Promise<void> {
    if (payload.length < 10) throw new SpdyError('SYN_STREAM without its fixed part')
    const id = payload.readUInt32BE()
    if (id % 2 === 0 || id <= this.#lastId) throw new SpdyError(`stream ${id} behind stream ${this.#lastId}`)
    if (payload.readUInt32BE(4) !== 0) throw new SpdyError('a stream that is associated')
    if (flags & ~fin) throw new SpdyError(`SYN_STREAM with the flags ${flags}`)
    this.#lastId = id
    const stream = new SpdyStream(id, await this.#readHeaders(payload.subarray(10)), (frame) => this.send(frame))
    this.#streams.set(id, stream)
    stream.once('close', () => this.#streams.delete(id))
    if (flags & fin) stream.receiveEnd()
    void this.send(async () =>
      controlFrame(control.synReply, Buffer.concat([numbers(id), await this.#writeHeaders({})])),
    ).catch(() => {})
    this.#onStream(stream)
  }

  async #write(bytes: Buffer): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.#socket.write(bytes, (error) => (error ? reject(error) : resolve()))
    })
  }
}
