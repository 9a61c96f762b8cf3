import type { Duplex } from 'node:stream'
import type { EntryWriter } from '../recording/entry-writer.ts'
import { Budget } from '../relay/budget.ts'
import { EndNotices } from '../relay/end-notices.ts'
import { thrownBy, toFailure } from '../relay/failure.ts'
import { IdleTimer, shorterLimit } from '../relay/idle-timer.ts'
import type { KindCounts } from '../relay/reports.ts'
import {
  BrokerError,
  type EndNotice,
  type EndReason,
  isCut,
  type SessionOutcome,
  type SessionPermit,
} from '../session.ts'
import { endingNotice, errorText } from '../shell/words.ts'
import { toTargetError } from '../streams/dial-errors.ts'
import type { TcpClient } from './client.ts'
import type { TcpEntries } from './entries.ts'
import type { TcpRules } from './rules.ts'

export interface TcpRelayOptions {
  readonly client: TcpClient
  /** To the target. */
  readonly stream: Duplex
  readonly permit: SessionPermit
  readonly rules: TcpRules
  readonly writer: EntryWriter
  readonly entries: TcpEntries
  readonly counts: KindCounts
  /** Epoch milliseconds. */
  readonly now: () => number
  /** Follows the end of the session. @returns it as it is now, epoch milliseconds */
  watchEnd(onMoved: (endsAt: number) => void): number
}

/** How often the recording says how many bytes have passed, while any do. */
const trafficMs = 10_000

/** Relays a stream both ways. Each side that reads nothing holds up the other alone; a recorder that is behind holds both. */
export class TcpRelay {
  readonly #options: TcpRelayOptions
  readonly #budget: Budget
  readonly #idle: IdleTimer
  readonly #notices: EndNotices
  readonly #ended = Promise.withResolvers<SessionOutcome>()
  #bytesUp = 0
  #bytesDown = 0
  /** On record. */
  #told = 0
  #traffic: NodeJS.Timeout | undefined
  #lastActive = performance.now()
  #isOver = false

  constructor(options: TcpRelayOptions) {
    this.#options = options
    const { permit, now, rules, watchEnd } = options
    this.#budget = new Budget(permit.engine?.budget)
    this.#notices = new EndNotices({ permit, now, watchEnd, onDue: () => this.#sayEnding() })
    this.#idle = new IdleTimer(shorterLimit(permit.limits.idleTimeoutMs, rules.idleTimeoutMs), {
      activeAt: () => this.#lastActive,
      onIdle: (text) => this.#finish('idle', text),
    })
  }

  /** Relays until the session ends. The client has been told then; the stream is for the caller to drop. */
  run(): Promise<SessionOutcome> {
    const { client, stream, permit } = this.#options
    permit.signal.addEventListener('abort', this.#onCut)
    client.left.addEventListener('abort', this.#onLeft)
    stream.once('error', (error) => this.#fail(lossOf(error), 'upstream-failed'))
    stream.once('end', () => this.#targetEnded())
    stream.once('close', () => this.#finish('upstream-closed'))
    client.stream.once('error', (error) => this.#fail(violationOf(error), 'protocol-error'))
    this.#idle.start()
    this.#notices.start()
    this.#budget.start((error) => this.#finish('budget-used', errorText(error)))
    this.#traffic = setInterval(() => this.#tellTraffic(), trafficMs)
    if (permit.signal.aborted) this.#onCut()
    else if (client.left.aborted) this.#onLeft()
    else if (stream.destroyed) this.#fail(lossOf(stream.errored ?? new Error('it has ended')), 'upstream-failed')
    else {
      this.#pass(client.stream, stream, (bytes) => this.#count(bytes, 0))
      this.#pass(stream, client.stream, (bytes) => this.#count(0, bytes))
    }
    return this.#ended.promise
  }

  #pass(from: Duplex, to: Duplex, count: (bytes: number) => boolean): void {
    from.on('data', (bytes: Buffer) => {
      if (this.#isOver || !count(bytes.length)) return
      this.#lastActive = performance.now()
      if (!to.write(bytes)) from.pause()
    })
    to.on('drain', () => this.flow())
  }

  /** Each side is read while the other can take it, and the recorder both. */
  flow(): void {
    if (this.#isOver) return
    const { client, stream, writer } = this.#options
    for (const [from, to] of [
      [client.stream, stream],
      [stream, client.stream],
    ] as const)
      if (writer.isFull || to.writableNeedDrain) from.pause()
      else from.resume()
  }

  #count(up: number, down: number): boolean {
    this.#bytesUp += up
    this.#bytesDown += down
    this.#options.counts.bytesUp += up
    this.#options.counts.bytesDown += down
    if (this.#bytesUp + this.#bytesDown <= this.#budget.mostBytes) return true
    this.#finish('budget-used', errorText(this.#budget.bytesUsed))
    return false
  }

  #tellTraffic(): void {
    const [up, down] = [this.#bytesUp, this.#bytesDown]
    if (up + down === this.#told) return
    this.#told = up + down
    this.#guard(() => this.#options.entries.traffic('traffic', up, down))
    if (this.#options.writer.isFull) this.flow()
  }

  #sayEnding(): void {
    const ending = this.#notices.take()
    if (ending) this.#guard(() => this.#tell(endingNotice(ending)))
  }

  #tell(text: string): void {
    this.#options.entries.notice(text)
    this.#options.client.tell({ notice: text })
  }

  /** All that it sent is to arrive; the session goes on until then, so that it can be cut. */
  #targetEnded(): void {
    const { stream } = this.#options.client
    stream.once('finish', () => this.#finish('upstream-closed'))
    stream.end()
  }

  readonly #onLeft = (): void => this.#finish('client-closed')

  readonly #onCut = (): void => {
    const { reason, text } = this.#options.permit.signal.reason as EndNotice
    this.#finish(reason, text)
  }

  #guard(run: () => void): void {
    try {
      run()
    } catch (thrown) {
      this.#fail(thrown, 'upstream-failed')
    }
  }

  #fail(thrown: unknown, side: 'protocol-error' | 'upstream-failed'): void {
    const { reason, error } = toFailure(thrown, side)
    this.#finish(reason, errorText(error), error)
  }

  /** @param text for the person */
  #finish(reason: EndReason, text?: string, error?: BrokerError): void {
    if (this.#isOver) return
    // Its end may come with the closing of its stream, which was waiting to be flushed.
    if (reason === 'upstream-closed' && this.#isFlushing()) return
    this.#isOver = true
    const { client, stream, entries, permit, now } = this.#options
    const stoppedAt = now()
    for (const one of [client.stream, stream]) one.pause()
    permit.signal.removeEventListener('abort', this.#onCut)
    client.left.removeEventListener('abort', this.#onLeft)
    clearInterval(this.#traffic)
    this.#idle.stop()
    this.#notices.stop()
    this.#budget.stop()
    const failure = thrownBy(() => {
      if (text !== undefined) entries.notice(text)
      entries.traffic('end', this.#bytesUp, this.#bytesDown)
    })
    if (isCut(reason)) {
      if (text !== undefined) client.tell({ notice: text })
      client.cut(reason)
    } else if (error) client.refuse(error)
    else client.end()
    const known = error ?? failure
    this.#ended.resolve({
      reason,
      bytesUp: this.#bytesUp,
      bytesDown: this.#bytesDown,
      ...(isCut(reason) ? { stoppedAt } : {}),
      ...(known === undefined ? {} : { error: known }),
    })
  }

  #isFlushing(): boolean {
    const { stream } = this.#options.client
    return stream.writableEnded && !stream.writableFinished && !stream.destroyed
  }
}

/** Whatever the stream's end was, its causes are for the log. */
function lossOf(error: Error & { code?: string }): BrokerError {
  if (error.code === 'ECONNREFUSED') return new BrokerError('TARGET_UNREACHABLE', 'the port refuses connections')
  return toTargetError(error)
}

function violationOf(cause: Error): BrokerError {
  return new BrokerError('PROTOCOL_ERROR', 'only bytes may be sent', { cause })
}
