import { performance } from 'node:perf_hooks'
import type { Duplex } from 'node:stream'
import type { EntryWriter } from '../../recording/entry-writer.ts'
import { Budget } from '../../relay/budget.ts'
import { thrownBy, toFailure } from '../../relay/failure.ts'
import { IdleTimer, shorterLimit } from '../../relay/idle-timer.ts'
import type { KindCounts } from '../../relay/reports.ts'
import {
  BrokerError,
  type EndNotice,
  type EndReason,
  isCut,
  type SessionOutcome,
  type SessionPermit,
} from '../../session.ts'
import { endWith } from '../../streams/farewell.ts'
import { WireError } from '../../wire/wire-error.ts'
import type { StreamTap } from './tap.ts'

export interface StreamRelayOptions {
  /** Both after their 101. Nothing has been read of them but `ahead`; the relay ends both. */
  readonly client: Duplex
  readonly server: Duplex
  /** What came with the two upgrades. */
  readonly ahead: { readonly up: Buffer; readonly down: Buffer }
  readonly tap: StreamTap
  readonly permit: Pick<SessionPermit, 'signal' | 'recorder' | 'engine' | 'limits'>
  /** What the tap's events write to. */
  readonly writer: EntryWriter
  readonly counts: Pick<KindCounts, 'bytesUp' | 'bytesDown'>
  /** Of the level; 0: that of the broker alone. */
  readonly idleTimeoutMs: number
  /** Epoch milliseconds. */
  readonly now: () => number
  /** What the client is told at the end, for the recording. */
  notice(text: string): void
  /** Bytes that show a text, behind what has passed down; null: not now. Left out: there is nowhere to show one. */
  remark?(text: string): Buffer | null
}

/** How long a frame that is under way may take to pass, so that the client can be told why it ends. */
const completeMs = 700
/** For what a client that left had sent. */
const flushMs = 500
/** For a client that closes by itself once it has shown why. */
const partingMs = 200
/** For a client that is silent at first. */
const settleMs = 500
/** That wait for the end of a frame. */
const mostRemarks = 16
const lost = 'the cluster closed the connection'
const violated = new BrokerError('TARGET_LOST', 'it violated the protocol')

/**
 * Relays an upgraded connection both ways, byte for byte. What passes is shown to the tap first. Every end that is not the client's own is told in the
 * client's protocol, also that of a cluster which says nothing: kubectl takes silence for success.
 */
export class StreamRelay {
  readonly #options: StreamRelayOptions
  readonly #budget: Budget
  readonly #idle: IdleTimer
  readonly #isStrict: boolean
  readonly #ended = Promise.withResolvers<SessionOutcome>()
  #bytesUp = 0
  #bytesDown = 0
  #lastActive = performance.now()
  #carried = 0
  /** Chunks that are sent once their entries are on file: to the client, and to the server. */
  #unwritten = 0
  #unsent = 0
  /** For the person, not sent yet. */
  readonly #remarks: string[] = []
  /** Set at the end: what remains to be said. */
  #ending: { outcome: SessionOutcome; readonly text: string; readonly timer: NodeJS.Timeout } | undefined
  #hasServerEnded = false
  /** What the server sends is no longer read. */
  #isBroken = false
  #isOver = false
  /** The client has had time to make its streams. */
  #isSettled = false

  constructor(options: StreamRelayOptions) {
    this.#options = options
    const { permit, idleTimeoutMs } = options
    this.#budget = new Budget(permit.engine?.budget)
    this.#isStrict = permit.engine?.isRecordingStrict ?? false
    this.#idle = new IdleTimer(shorterLimit(permit.limits.idleTimeoutMs, idleTimeoutMs), {
      activeAt: () => this.#lastActive,
      onIdle: (text) => this.#finish('idle', text),
    })
  }

  /** Relays until the session ends; never rejects. */
  run(): Promise<SessionOutcome> {
    const { client, server, permit, ahead } = this.#options
    permit.signal.addEventListener('abort', this.#onCut)
    this.#idle.start()
    setTimeout(() => {
      this.#isSettled = true
      if (!this.#ending && !this.#isOver) this.#remark()
    }, settleMs).unref()
    this.#budget.start((error) => this.#finish('budget-used', error.message))
    for (const one of [client, server]) one.on('drain', () => this.flow())
    client.on('error', () => this.#leave()).once('close', () => this.#leave())
    client.once('end', () => this.#leave())
    server.on('error', (cause) => this.#fail(new BrokerError('TARGET_LOST', undefined, { cause }), 'upstream-failed'))
    server.once('end', () => this.#serverEnded()).once('close', () => this.#serverEnded())
    if (permit.signal.aborted) this.#onCut()
    if (ahead.up.length > 0) this.#up(ahead.up)
    if (ahead.down.length > 0) this.#down(ahead.down)
    client.on('data', (chunk: Buffer) => this.#up(chunk))
    server.on('data', (chunk: Buffer) => this.#down(chunk))
    if (server.destroyed) this.#serverEnded()
    if (client.destroyed) this.#leave()
    this.flow()
    return this.#ended.promise
  }

  /** Each side is read while the other can take it, and the recorder both. */
  flow(): void {
    if (this.#ending || this.#isOver) return
    const { client, server, writer } = this.#options
    if (writer.isFull || server.writableNeedDrain || this.#unsent > 0) client.pause()
    else client.resume()
    if (writer.isFull || client.writableNeedDrain || this.#unwritten > 0) server.pause()
    else server.resume()
  }

  #up(chunk: Buffer): void {
    const { tap } = this.#options
    if (this.#isOver) return
    try {
      tap.up(chunk)
    } catch (thrown) {
      this.#fail(thrown, 'protocol-error')
      return
    }
    // The client may have opened the stream on which it can be told.
    if (this.#ending) this.#say()
    else if (this.#count(chunk.length, 0)) {
      this.#forward(chunk)
      this.#remark()
      this.flow()
    }
  }

  #forward(chunk: Buffer): void {
    const { server, permit } = this.#options
    if (!this.#isStrict) {
      server.write(chunk)
      return
    }
    this.#unsent += 1
    permit.recorder.whenWritten(() => {
      this.#unsent -= 1
      if (this.#isOver || this.#ending) return
      server.write(chunk)
      this.flow()
    })
  }

  #down(chunk: Buffer): void {
    const { tap } = this.#options
    if (this.#isOver || this.#isBroken) return
    try {
      if (this.#ending) this.#send(chunk.subarray(0, tap.complete(chunk)))
      else tap.down(chunk)
    } catch (thrown) {
      this.#isBroken = true
      this.#send(chunk.subarray(0, tap.wholeBytes ?? 0))
      this.#fail(thrown, 'upstream-failed')
      return
    }
    if (this.#ending) this.#say()
    else if (this.#count(0, chunk.length)) {
      this.#send(chunk)
      this.#remark()
      this.flow()
    }
  }

  /** Shows the person a text between two frames, as soon as that can be. @returns false: it cannot any more */
  tell(text: string): boolean {
    const isOver = this.#ending !== undefined || this.#isOver || this.#hasServerEnded
    if (isOver || !this.#options.remark || this.#remarks.length >= mostRemarks) return false
    this.#remarks.push(text)
    this.#remark()
    return true
  }

  /**
   * Not before anything has passed, or half a second has: kubectl drops what comes over a websocket before it has made its streams, right
   * after the 101.
   */
  #remark(): void {
    if (this.#bytesUp + this.#bytesDown === 0 && !this.#isSettled) return
    for (let [text] = this.#remarks; text !== undefined && !this.#hasServerEnded; [text] = this.#remarks) {
      const words = this.#options.remark?.(text)
      if (!words) return
      this.#remarks.shift()
      this.#send(words)
    }
  }

  #send(chunk: Buffer): void {
    const { client, permit } = this.#options
    if (chunk.length === 0) return
    if (!this.#isStrict) {
      client.write(chunk)
      return
    }
    this.#unwritten += 1
    permit.recorder.whenWritten(() => {
      this.#unwritten -= 1
      if (this.#isOver) return
      client.write(chunk)
      if (this.#ending) this.#say()
      else if (this.#hasServerEnded) this.#drain()
      else this.flow()
    })
  }

  #serverEnded(): void {
    if (this.#hasServerEnded) return
    this.#hasServerEnded = true
    if (this.#ending) this.#say()
    else this.#drain()
  }

  /** All that the server sent is to arrive, however slowly; the session goes on until then, so that it can be cut. */
  #drain(): void {
    const { client, tap } = this.#options
    if (this.#unwritten > 0 || client.writableEnded) return
    client.once('finish', () => {
      this.#finish('upstream-closed', lost)
      this.#close()
    })
    const words = this.#words(lost, true)
    client.end(words ? Buffer.concat([words, tap.parting?.() ?? Buffer.alloc(0)]) : undefined)
    client.resume()
  }

  #count(up: number, down: number): boolean {
    const { tap, counts } = this.#options
    if (tap.carried !== this.#carried) this.#lastActive = performance.now()
    this.#carried = tap.carried
    this.#bytesUp += up
    this.#bytesDown += down
    counts.bytesUp += up
    counts.bytesDown += down
    if (this.#bytesUp + this.#bytesDown <= this.#budget.mostBytes) return true
    this.#finish('budget-used', this.#budget.bytesUsed.message)
    return false
  }

  readonly #onCut = (): void => {
    const { reason, text } = this.#options.permit.signal.reason as EndNotice
    this.#finish(reason, text)
  }

  #fail(thrown: unknown, side: 'protocol-error' | 'upstream-failed'): void {
    const { reason, error } = toFailure(thrown, side)
    const isServers = thrown instanceof WireError && side === 'upstream-failed'
    this.#finish(reason, isServers ? violated.message : error.message, error)
    this.#say() // also where it is ending already
  }

  #leave(): void {
    // It answers the end of the server by its own.
    this.#finish(this.#hasServerEnded ? 'upstream-closed' : 'client-closed', '')
    this.#close()
  }

  #finish(reason: EndReason, text: string, error?: BrokerError): void {
    if (this.#ending || this.#isOver) return
    const { permit, now, notice } = this.#options
    permit.signal.removeEventListener('abort', this.#onCut)
    this.#idle.stop()
    this.#budget.stop()
    const outcome: SessionOutcome = {
      reason,
      bytesUp: this.#bytesUp,
      bytesDown: this.#bytesDown,
      ...(isCut(reason) ? { stoppedAt: now() } : {}),
      ...(error === undefined ? {} : { error }),
    }
    this.#ending = { outcome, text, timer: setTimeout(() => this.#giveUp(), completeMs) }
    if (reason === 'client-closed' || reason === 'upstream-closed') return
    const failure = thrownBy(() => notice(text))
    if (failure && !error) this.#ending.outcome = { ...outcome, error: failure }
    this.#options.server.resume()
    this.#options.client.resume()
    this.#say()
  }

  /** As soon as it can be said. */
  #say(): void {
    const { tap, server, client } = this.#options
    if (!this.#ending || this.#isOver || this.#unwritten > 0) return
    const isStuck = this.#isBroken || this.#hasServerEnded || server.destroyed
    const words = this.#words(this.#ending.text, isStuck)
    if (words) this.#close(words)
    else if (isStuck || client.destroyed) this.#close()
    else client.write(tap.meanwhile?.() ?? Buffer.alloc(0))
  }

  /** The frame under way has had its time. */
  #giveUp(): void {
    const words = this.#unwritten > 0 ? null : this.#words(this.#ending?.text ?? '', true)
    this.#close(words ?? undefined)
  }

  /** @param isStuck the frame under way does not come to its end by itself */
  #words(text: string, isStuck: boolean): Buffer | null {
    const { tap } = this.#options
    if (this.#isBroken && tap.wholeBytes === undefined) return null
    const words = tap.farewell(text)
    if (words || !isStuck) return words
    const rest = tap.breakOff?.() ?? null
    const behind = rest && tap.farewell(text)
    return rest && behind ? Buffer.concat([rest, behind]) : null
  }

  #close(words?: Buffer): void {
    if (!this.#ending || this.#isOver) return
    const { client, server } = this.#options
    this.#isOver = true
    clearTimeout(this.#ending.timer)
    // What a client sent before it left is to arrive; of one that is cut, nothing more.
    if (this.#ending.outcome.reason === 'client-closed') endWith(server, undefined, flushMs)
    else server.destroy()
    if (words && !client.writableEnded) this.#part(words)
    else client.destroy()
    this.#ended.resolve(this.#ending.outcome)
  }

  #part(words: Buffer): void {
    const { client, tap } = this.#options
    const parting = tap.parting?.()
    if (!parting) {
      endWith(client, words)
      return
    }
    client.write(words)
    client.resume()
    const timer = setTimeout(() => endWith(client, parting), partingMs)
    client.once('close', () => clearTimeout(timer))
  }
}
