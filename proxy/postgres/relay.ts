import { performance } from 'node:perf_hooks'
import type { Duplex } from 'node:stream'
import { BrokerError, type EndNotice, type EndReason, type SessionOutcome, type SessionPermit } from '../session.ts'
import { terminate } from '../wire/postgres/encode.ts'
import { backendSizes, Framer, frontendSizes } from '../wire/postgres/framer.ts'
import { Conversation } from './conversation.ts'
import { cutResponse, errorResponse, toBrokerError } from './errors.ts'
import { endWith } from './farewell.ts'
import { StatementRecords } from './statement-record.ts'
import type { Upstream } from './upstream.ts'

export interface RelayOptions {
  readonly client: Duplex
  /** What the client sent already. */
  readonly ahead: Buffer
  readonly upstream: Upstream
  readonly permit: SessionPermit
  /** 0: none. */
  readonly maxRows: number
  onBytes(direction: 'up' | 'down', bytes: number): void
  onStatement(seconds: number): void
}

/** How long a message that is half forwarded may take to be completed once the session is cut, so that the client can be told why. */
const completeMs = 500
/** How long the target may take to stop a statement and to close. */
const lingerMs = 2000

/**
 * Bytes of one session, both ways, as they came. Nothing is made per message: chunks are scanned in place and passed on, and
 * whichever side can't take more pauses the other, as the recorder pauses both.
 */
export class Relay {
  readonly #options: RelayOptions
  readonly #conversation: Conversation
  readonly #records: StatementRecords
  readonly #up: Framer
  readonly #down: Framer
  readonly #ended = Promise.withResolvers<SessionOutcome>()
  #bytesUp = 0
  #bytesDown = 0
  #isUpstreamFull = false
  #isClientFull = false
  #lastActive = performance.now()
  #idleTimer: NodeJS.Timeout | undefined
  #closing: { reason: EndReason; words: Buffer; timer: NodeJS.Timeout } | undefined
  #isOver = false

  constructor(options: RelayOptions) {
    this.#options = options
    this.#records = new StatementRecords(options.permit.recorder, () => this.#flow())
    const { maxRows, onStatement } = options
    this.#conversation = new Conversation({ records: this.#records, maxRows, onStatement })
    this.#up = new Framer(frontendSizes, this.#conversation.up)
    this.#down = new Framer(backendSizes, this.#conversation.down)
  }

  get isBusy(): boolean {
    return this.#conversation.isBusy
  }

  /** Relays until the session ends. Both streams are ended then; the client may still be reading its last words. */
  run(): Promise<SessionOutcome> {
    const { client, upstream, permit, ahead } = this.#options
    client.on('data', this.#onClientData).on('drain', this.#onClientDrain)
    client.on('end', this.#onClientGone).on('close', this.#onClientGone)
    const { socket } = upstream
    socket.on('data', this.#onUpstreamData).on('drain', this.#onUpstreamDrain)
    socket.on('end', this.#onUpstreamGone).on('close', this.#onUpstreamGone)
    permit.signal.addEventListener('abort', this.#onCut)
    this.#armIdle()
    if (permit.signal.aborted) this.#onCut()
    if (upstream.ahead.length > 0) this.#onUpstreamData(upstream.ahead)
    if (ahead.length > 0) this.#onClientData(ahead)
    if (client.destroyed || client.readableEnded) this.#onClientGone()
    if (socket.destroyed || socket.readableEnded) this.#onUpstreamGone()
    return this.#ended.promise
  }

  readonly #onClientData = (chunk: Buffer): void => {
    if (this.#isOver || this.#closing) return
    this.#lastActive = performance.now()
    try {
      this.#up.scan(chunk)
    } catch (error) {
      this.#fail(error, 'protocol-error')
      return
    }
    this.#bytesUp += chunk.length
    this.#options.onBytes('up', chunk.length)
    if (!this.#options.upstream.socket.write(chunk)) this.#isUpstreamFull = true
    if (this.#isUpstreamFull || this.#records.isFull) this.#flow()
  }

  readonly #onUpstreamData = (chunk: Buffer): void => {
    if (this.#isOver) return
    let go: number
    try {
      go = this.#down.scan(chunk)
    } catch (error) {
      this.#fail(error, 'upstream-failed')
      return
    }
    this.#bytesDown += go
    this.#options.onBytes('down', go)
    if (go > 0 && !this.#options.client.write(go === chunk.length ? chunk : chunk.subarray(0, go)))
      this.#isClientFull = true
    if (this.#closing && this.#down.atBoundary) this.#close()
    else if (go < chunk.length) this.#endOverLimit()
    else if (this.#isClientFull || this.#records.isFull) this.#flow()
  }

  readonly #onClientDrain = (): void => {
    this.#isClientFull = false
    this.#flow()
  }

  readonly #onUpstreamDrain = (): void => {
    this.#isUpstreamFull = false
    this.#flow()
  }

  /** Reads from each side as long as the other, and the recorder, can take it. */
  #flow(): void {
    if (this.#isOver) return
    const { client, upstream } = this.#options
    const isBehind = this.#records.isFull
    if (isBehind || this.#isUpstreamFull || this.#closing) client.pause()
    else client.resume()
    if (isBehind || this.#isClientFull) upstream.socket.pause()
    else upstream.socket.resume()
  }

  readonly #onClientGone = (): void => this.#end('client-closed', {})

  /** A server that closes has said why, or answers the client's farewell; otherwise it was lost. */
  readonly #onUpstreamGone = (): void => {
    if (this.#closing) this.#close()
    else if (this.#conversation.hasTerminated) this.#end('client-closed', {})
    else if (this.#conversation.lastWords) this.#end('upstream-closed', {})
    else {
      const error = new BrokerError('TARGET_LOST')
      this.#end('upstream-failed', { error, ...(this.#down.atBoundary ? { words: errorResponse(error) } : {}) })
    }
  }

  /** From here on nothing more is read, but for the rest of a message that is on its way. */
  readonly #onCut = (): void => {
    const { reason, text, decidedAt } = this.#options.permit.signal.reason as EndNotice
    const words = cutResponse({ reason, text, decidedAt })
    if (this.#isOver || this.#closing) return
    if (this.#down.atBoundary) {
      this.#end(reason, { words, isCut: true })
      return
    }
    this.#conversation.close()
    this.#closing = { reason, words, timer: setTimeout(() => this.#end(reason, { isCut: true }), completeMs) }
    this.#flow()
  }

  #close(): void {
    const closing = this.#closing
    if (closing) this.#end(closing.reason, { isCut: true, ...(this.#down.atBoundary ? { words: closing.words } : {}) })
  }

  #endOverLimit(): void {
    const hint = 'Ask for fewer rows (LIMIT), or request a level that allows more.'
    const error = new BrokerError('LIMIT_REACHED', `at most ${this.#options.maxRows} rows for one statement`, { hint })
    this.#end('limit-reached', { words: errorResponse(error), isCut: true })
  }

  #fail(thrown: unknown, reason: EndReason): void {
    const error = toBrokerError(thrown)
    const isRecording = error.code === 'RECORDING_FAILED' || error.code === 'LIMIT_REACHED'
    const why = isRecording ? 'recording-failed' : error.code === 'INTERNAL' ? 'upstream-failed' : reason
    const told =
      reason === 'upstream-failed' && !isRecording ? new BrokerError('TARGET_LOST', 'it broke the protocol') : error
    this.#end(why, { error, ...(this.#down.atBoundary ? { words: errorResponse(told) } : {}) })
  }

  #end(reason: EndReason, how: { words?: Buffer; error?: Error; isCut?: true }): void {
    if (this.#isOver) return
    this.#isOver = true
    const stoppedAt = Date.now()
    const { client, permit } = this.#options
    clearTimeout(this.#idleTimer)
    clearTimeout(this.#closing?.timer)
    permit.signal.removeEventListener('abort', this.#onCut)
    client.off('data', this.#onClientData).off('drain', this.#onClientDrain)
    client.off('end', this.#onClientGone).off('close', this.#onClientGone)
    const left = this.#leaveUpstream()
    endWith(client, how.words)
    let error = how.error
    try {
      this.#conversation.finish()
    } catch (unrecorded) {
      error ??= unrecorded as Error
    }
    const outcome = {
      reason,
      bytesUp: this.#bytesUp,
      bytesDown: this.#bytesDown,
      ...(how.isCut ? { stoppedAt } : {}),
      ...(error ? { error } : {}),
    }
    void left.then(() => this.#ended.resolve(outcome))
  }

  /** A statement that runs is cancelled before the connection is closed: a closed one alone would let it commit. */
  async #leaveUpstream(): Promise<void> {
    const { upstream } = this.#options
    const { socket } = upstream
    socket.off('data', this.#onUpstreamData).off('drain', this.#onUpstreamDrain)
    socket.off('end', this.#onUpstreamGone).off('close', this.#onUpstreamGone)
    socket.resume() // what still comes is thrown away
    const timer = setTimeout(() => socket.destroy(), lingerMs)
    socket.once('close', () => clearTimeout(timer))
    if (socket.destroyed) return
    if (this.#conversation.isBusy && !this.#conversation.lastWords) await upstream.cancel().catch(() => undefined) // it is closed anyway
    if (this.#up.atBoundary && !socket.writableEnded) socket.end(terminate)
    else socket.destroy()
  }

  #armIdle(): void {
    const { idleTimeoutMs } = this.#options.permit.limits
    if (idleTimeoutMs === 0) return
    const idle = this.isBusy ? 0 : performance.now() - this.#lastActive
    if (idle >= idleTimeoutMs) {
      const text = `the session was idle for ${Math.round(idleTimeoutMs / 60_000)} minutes`
      this.#end('idle', { words: cutResponse({ reason: 'idle', text, decidedAt: Date.now() }), isCut: true })
      return
    }
    if (this.isBusy) this.#lastActive = performance.now()
    this.#idleTimer = setTimeout(() => this.#armIdle(), Math.min(idleTimeoutMs - idle, 3_600_000))
  }
}
