import { Duplex } from 'node:stream'
import { ReceiveBuffer } from './receive-buffer.ts'

type Done = (error?: Error | null) => void

/** What a stream asks of the session that carries it. */
export interface SmuxCarrier {
  /** It has something to write: it is asked for it by {@link SmuxStream.peek} when there is room. */
  wants(stream: SmuxStream): void
  /** It holds so many bytes that were received and are not read. */
  holds(stream: SmuxStream, bytes: number): void
  /** Nothing more is sent or received. */
  finish(stream: SmuxStream): void
}

export interface SmuxStreamOptions {
  /** Received and unread at most, with what each part costs; a stream above it is reset, since one that is not read would stop all others. */
  readonly unreadBytes: number
  /** How long a stream that we have ended stays open for the rest of what the other side sends. */
  readonly halfClosedMs: number
}

/**
 * One connection in a port session. In smux the end of one direction is the end of both: the other side drops what it still had to
 * send. So after `end()` the other side is told only when it has ended too, or has sent nothing for `halfClosedMs`.
 */
export class SmuxStream extends Duplex {
  readonly id: number
  readonly #carrier: SmuxCarrier
  readonly #options: SmuxStreamOptions
  readonly #received: ReceiveBuffer
  #chunk: Buffer | undefined
  #written = 0
  #done: Done | undefined
  #finalTimer: NodeJS.Timeout | undefined
  #isHalfClosed = false
  #isAway = false
  #isFinished = false
  /** Nothing has come yet. */
  isSilent = true

  constructor(id: number, carrier: SmuxCarrier, options: SmuxStreamOptions) {
    super({ allowHalfOpen: true, readableHighWaterMark: 0 })
    this.id = id
    this.#carrier = carrier
    this.#options = options
    this.#received = new ReceiveBuffer(this, options.unreadBytes)
    this.on('error', () => {}) // for who reads; before that it must not go unhandled
  }

  /** Data of the other side. */
  receive(part: Buffer): void {
    if (this.destroyed || this.readableEnded) return
    this.isSilent = false
    this.#finalTimer?.refresh()
    this.#received.add(part)
    if (this.#received.isFull) this.destroyUnread()
    else this.#tellHeld()
  }

  /** Since it is not read. */
  destroyUnread(): void {
    this.destroy(new Error('too much was left unread'))
  }

  #tellHeld(): void {
    this.#carrier.holds(this, this.destroyed ? 0 : this.#received.heldBytes)
  }

  /** The other side has ended, and drops what it still receives. */
  receiveEnd(): void {
    if (this.destroyed) return
    this.#finish()
    this.#received.end()
    this.#settle()
    this.end()
  }

  get isWaiting(): boolean {
    return this.#chunk !== undefined
  }

  /** The next part of what waits to be written. */
  peek(mostBytes: number): Buffer | undefined {
    return this.#chunk?.subarray(this.#written, this.#written + mostBytes)
  }

  /** That part was sent. */
  took(bytes: number): void {
    this.#written += bytes
    if (this.#chunk && this.#written >= this.#chunk.length) this.#settle()
  }

  /** The session is read whether this is or not. */
  override _read(): void {
    this.#received.wanted()
    this.#tellHeld()
  }

  override _write(chunk: Buffer, _encoding: string, done: Done): void {
    if (this.#isFinished || chunk.length === 0) {
      done() // as with TCP: what is written then goes nowhere
      return
    }
    this.#chunk = chunk
    this.#written = 0
    this.#done = done
    this.#carrier.wants(this)
  }

  /** What waits is one chunk: a message for each byte would cost a hundred times as much. */
  override _writev(writes: { chunk: Buffer }[], done: Done): void {
    this._write(Buffer.concat(writes.map(({ chunk }) => chunk)), 'buffer', done)
  }

  #settle(): void {
    const done = this.#done
    this.#chunk = undefined
    this.#done = undefined
    done?.()
  }

  override _final(done: Done): void {
    this.#isHalfClosed = true
    this.#awaitEnd()
    done()
  }

  /** While the agent is away nothing can come from it, and no time runs. */
  setAway(isAway: boolean): void {
    this.#isAway = isAway
    this.#awaitEnd()
  }

  #awaitEnd(): void {
    clearTimeout(this.#finalTimer)
    this.#finalTimer = undefined
    if (this.#isFinished || this.#isAway || !this.#isHalfClosed) return
    this.#finalTimer = setTimeout(() => this.receiveEnd(), this.#options.halfClosedMs).unref()
  }

  override _destroy(error: Error | null, done: Done): void {
    this.#finish()
    this.#received.clear()
    this.#tellHeld()
    this.#settle()
    done(error)
  }

  #finish(): void {
    clearTimeout(this.#finalTimer)
    if (this.#isFinished) return
    this.#isFinished = true
    this.#carrier.finish(this)
  }
}
