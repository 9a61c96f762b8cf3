import { performance } from 'node:perf_hooks'
import type { Duplex } from 'node:stream'
import { EntryWriter } from '../recording/entry-writer.ts'
import {
  BrokerError,
  type EndNotice,
  type EndReason,
  isCut as isCutReason,
  type Lease,
  type SessionOutcome,
  type SessionPermit,
} from '../session.ts'
import { endWith } from '../streams/farewell.ts'
import { Backlog } from './backlog.ts'
import { Budget } from './budget.ts'
import type { Conversation, ConversationParts, Reader } from './conversation.ts'
import { EndNotices } from './end-notices.ts'
import { type FailedSide, thrownBy, toFailure } from './failure.ts'
import { fairShares } from './fair-shares.ts'
import { IdleTimer } from './idle-timer.ts'
import { leaveTarget } from './leave-target.ts'
import { OwnTurn } from './own-turn.ts'
import type { KindCounts } from './reports.ts'
import { Side } from './side.ts'
import type { Target } from './target.ts'
import type { Say, Words } from './words.ts'

export interface RelayOptions {
  readonly client: Duplex
  /** What the client has already sent. */
  readonly ahead: Buffer
  readonly target: Target
  readonly permit: SessionPermit
  readonly words: Words
  readonly counts: KindCounts
  /** Epoch milliseconds. */
  readonly now: () => number
  converse(parts: ConversationParts): Conversation
  /** A credential for ending what still runs at the target. */
  leaseToEnd(): Promise<Lease>
  /** Follows the end of the session. @returns it as it is now, epoch milliseconds */
  watchEnd(onMoved: (endsAt: number) => void): number
}

/** How long a half-forwarded message may take to complete after a cut, so that the client can be told why. */
const completeMs = 500
/** Age at which a running request gets an entry of its own. The recorder asks every 40 ms, so it is on file within 100 ms. */
const beginMs = 25

interface Ending {
  /** Cannot be sent in the middle of a message. */
  readonly say?: Say
  readonly error?: Error
  readonly isCut?: true
}

/**
 * Relays the bytes of one session both ways, unchanged. Chunks are scanned in place and passed on. A side that cannot take more
 * pauses the other; the recorder pauses both.
 */
export class Relay {
  readonly #options: RelayOptions
  readonly #conversation: Conversation
  readonly #entries: EntryWriter
  readonly #client: Side
  readonly #target: Side
  readonly #own: OwnTurn
  readonly #up: Reader
  readonly #down: Reader
  readonly #words: Words
  readonly #counts: KindCounts
  readonly #idle: IdleTimer
  readonly #budget: Budget
  readonly #notices: EndNotices
  /** Requests are on file before they are forwarded. */
  readonly #isStrict: boolean
  readonly #ended = Promise.withResolvers<SessionOutcome>()
  #bytesUp = 0
  #bytesDown = 0
  /** What was forwarded ends at a message boundary, towards the client and towards the target. */
  #isDownWhole = true
  #isUpWhole = true
  #isUpstreamFull = false
  #isClientFull = false
  readonly #backlog = new Backlog((error) => this.#cut('limit-reached', (words) => words.error(error)))
  /** Others have their turn first. */
  #isWaiting = false
  /** Waits until its requests are on file. */
  #held: Buffer | undefined
  /** Requests at the end of the ledger that were not forwarded. */
  #unsent = 0
  #lastActive = performance.now()
  #closing: { reason: EndReason; say: Say; timer: NodeJS.Timeout } | undefined
  #isOver = false

  constructor(options: RelayOptions) {
    this.#options = options
    const { client, target, permit, counts, now, converse, watchEnd } = options
    this.#client = new Side(client, {
      onData: (chunk) => this.#onClientData(chunk),
      onDrain: () => this.#onClientDrain(),
      onClosed: () => this.#onClientClosed(),
    })
    this.#target = new Side(target.stream, {
      onData: (chunk) => this.#onUpstreamData(chunk),
      onDrain: () => this.#onUpstreamDrain(),
      onClosed: () => this.#onUpstreamClosed(),
    })
    this.#counts = counts
    this.#entries = new EntryWriter(permit.recorder, () => this.#flow())
    this.#isStrict = permit.engine?.isRecordingStrict ?? false
    this.#budget = new Budget(permit.engine?.budget)
    const own = { entries: this.#entries, budget: this.#budget }
    this.#conversation = converse({ ...own, now, onStatement: (seconds) => counts.statement(seconds) })
    this.#up = this.#conversation.up
    this.#down = this.#conversation.down
    this.#own = this.#ownTurn()
    this.#words = this.#conversation.words ?? options.words
    this.#notices = new EndNotices({ permit, now, watchEnd, onDue: () => this.#sayEnding() })
    this.#idle = new IdleTimer(permit.limits.idleTimeoutMs, {
      activeAt: () => (this.isBusy ? performance.now() : Math.max(this.#lastActive, this.#conversation.settledAt)),
      onIdle: (text) => this.#end('idle', { say: this.#notice('idle', text), isCut: true }),
    })
  }

  /** A request was forwarded and waits for its answer. */
  get isBusy(): boolean {
    return this.#conversation.waiting > this.#unsent
  }

  /** Relays until the session ends. Both streams are ended then; the client may still be reading the last bytes. */
  run(): Promise<SessionOutcome> {
    const { target, permit, ahead } = this.#options
    this.#client.start()
    this.#target.start()
    permit.signal.addEventListener('abort', this.#onCut)
    permit.recorder.onFlush(this.#onFlush)
    this.#idle.start()
    this.#notices.start()
    this.#budget.start((error) => this.#endBudget(error))
    if (permit.signal.aborted) this.#onCut()
    if (target.ahead.length > 0) this.#onUpstreamData(target.ahead)
    if (ahead.length > 0) this.#onClientData(ahead)
    this.#client.checkClosed()
    this.#target.checkClosed()
    return this.#ended.promise
  }

  #onClientData(chunk: Buffer): void {
    if (this.#isOver || this.#closing) return
    if (this.#bytesUp + this.#bytesDown + chunk.length > this.#budget.mostBytes) {
      this.#endBudget(this.#budget.bytesUsed)
      return
    }
    this.#lastActive = performance.now()
    this.#conversation.tick(this.#lastActive)
    if (!this.#own.isWaiting) this.#readRequests(chunk)
    else if (this.#own.add(chunk)) this.#flow()
  }

  #readRequests(chunk: Buffer): void {
    const before = this.#conversation.waiting
    let go: number
    try {
      go = this.#up.scan(chunk)
      if (this.#isStrict) this.#conversation.begin(Number.POSITIVE_INFINITY)
    } catch (error) {
      this.#unsent = this.#conversation.waiting - before
      this.#fail(error, 'protocol-error')
      return
    }
    if (go === chunk.length) this.#pass(chunk, before)
    else this.#passPart(chunk, before)
    this.#backlog.grew(this.#conversation.waiting, this.#entries.reserved)
    if (this.#isUpstreamFull || this.#backlog.isFull || this.#mustWait || this.#entries.isFull) this.#flow()
    this.#share()
  }

  /** What the client sent last has not gone on yet: nothing more is read of it. */
  get #mustWait(): boolean {
    return this.#held !== undefined || this.#own.isFull
  }

  #pass(chunk: Buffer, before: number): void {
    if (this.#isStrict && this.#conversation.waiting > before) this.#hold(chunk, before)
    else this.#forward(chunk)
  }

  #passPart(chunk: Buffer, before: number): void {
    const { passing, rest } = this.#conversation.takePassing?.(chunk) ?? { passing: chunk }
    if (rest) this.#own.keepBack(rest)
    if (passing.length > 0) this.#pass(passing, before)
    this.#answerIfTurn()
  }

  /** Answers the request that was kept back, once it is its turn. */
  #answerIfTurn(): void {
    if (!this.#held && this.#conversation.waiting === 0) this.#own.begin()
  }

  #ownTurn(): OwnTurn {
    return new OwnTurn({
      conversation: this.#conversation,
      client: this.#client,
      target: this.#target,
      whenOnFile: (done) => (this.#isStrict ? this.#options.permit.recorder.whenWritten(done) : done()),
      isOver: () => this.#isOver || this.#closing !== undefined,
      onAnswer: (answer) => this.#reply(answer, answer.length),
      onRest: (rest) => {
        this.#sayEnding()
        if (rest.length > 0) this.#readRequests(rest)
        this.#flow()
      },
      onFailure: (error) => this.#fail(error, 'upstream-failed'),
    })
  }

  #forward(chunk: Buffer): void {
    this.#isUpWhole = this.#up.atBoundary
    this.#bytesUp += chunk.length
    this.#counts.bytesUp += chunk.length
    if (!this.#options.target.stream.write(chunk)) this.#isUpstreamFull = true
  }

  /** Forwards the chunk when its requests are on file. @param before requests that waited before it */
  #hold(chunk: Buffer, before: number): void {
    this.#held = chunk
    this.#unsent = this.#conversation.waiting - before
    this.#options.permit.recorder.whenWritten(() => {
      if (this.#isOver || this.#closing) return
      this.#held = undefined
      this.#unsent = 0
      this.#forward(chunk)
      this.#answerIfTurn()
      this.#flow()
    })
  }

  readonly #onFlush = (): boolean => !this.#isOver && this.#conversation.begin(performance.now() - beginMs)

  #onUpstreamData(chunk: Buffer): void {
    if (this.#isOver) return
    this.#conversation.tick(performance.now())
    let go: number
    try {
      go = this.#down.scan(chunk)
    } catch (error) {
      this.#fail(error, 'upstream-failed')
      return
    }
    this.#isDownWhole = this.#down.atBoundary
    this.#reply(chunk, go)
    if (this.#own.isWaiting) this.#answerIfTurn()
    if (this.#notices.isDue) this.#sayEnding()
    if (this.#closing) this.#closeIfPossible(go < chunk.length)
    else if (go < chunk.length) this.#endOverLimit()
    else if (this.#bytesUp + this.#bytesDown > this.#budget.mostBytes) this.#endBudget(this.#budget.bytesUsed)
    else if (this.#backlog.shrank(this.#conversation.waiting, this.#entries.reserved)) this.#flow()
    else if (this.#isClientFull || this.#entries.isFull) this.#flow()
    this.#share()
  }

  /** @param go how many of the bytes */
  #reply(chunk: Buffer, go: number): void {
    this.#bytesDown += go
    this.#counts.bytesDown += go
    if (go > 0 && !this.#options.client.write(go === chunk.length ? chunk : chunk.subarray(0, go)))
      this.#isClientFull = true
  }

  /** Stops reading until it is this session's turn again, when sessions have kept the process long enough. */
  #share(): void {
    if (this.#isWaiting || !fairShares.take(this.#onTurn)) return
    this.#isWaiting = true
    this.#flow()
  }

  readonly #onTurn = (): void => {
    this.#isWaiting = false
    this.#flow()
  }

  #onClientDrain(): void {
    this.#isClientFull = false
    this.#flow()
  }

  #onUpstreamDrain(): void {
    this.#isUpstreamFull = false
    this.#flow()
  }

  /** Reads from each side while the other side and the recorder can take more. */
  #flow(): void {
    if (this.#isOver) return
    const { client, target } = this.#options
    const isBehind = this.#entries.isFull || this.#isWaiting
    if (isBehind || this.#isUpstreamFull || this.#backlog.isFull || this.#mustWait || this.#closing) client.pause()
    else client.resume()
    if (isBehind || this.#isClientFull) target.stream.pause()
    else target.stream.resume()
  }

  #onClientClosed(): void {
    this.#end('client-closed', {})
  }

  /** A server that closes has reported why, or answers the client's terminate; otherwise the connection was lost. */
  #onUpstreamClosed(): void {
    if (this.#closing) this.#closeIfPossible(true)
    else if (this.#conversation.clientHasLeft) this.#end('client-closed', {})
    else if (this.#conversation.serverHasLeft) this.#end('upstream-closed', {})
    else {
      const error = new BrokerError('TARGET_LOST')
      this.#end('upstream-failed', { error, say: (words) => words.error(error) })
    }
  }

  /** Tells the client of a notice that is due, when that is possible. */
  #sayEnding(): void {
    if (!this.#isDownWhole || this.#own.isWaiting || this.#closing || this.#conversation.mustBeQuiet) return
    const ending = this.#notices.take()
    const said = ending && this.#words.ending?.(ending)
    if (said) this.#reply(said, said.length)
  }

  readonly #onCut = (): void => {
    const { reason, text } = this.#options.permit.signal.reason as EndNotice
    this.#cut(reason, this.#notice(reason, text))
  }

  #endBudget(error: BrokerError): void {
    this.#cut('budget-used', (words) => words.error(error))
  }

  /** From here on only the rest of a message that is being forwarded is read. */
  #cut(reason: EndReason, say: Say): void {
    if (this.#isOver || this.#closing) return
    if (this.#isDownWhole) {
      this.#end(reason, { say, isCut: true })
      return
    }
    this.#conversation.close()
    this.#closing = { reason, say, timer: setTimeout(() => this.#end(reason, { isCut: true }), completeMs) }
    this.#flow()
  }

  /** @param isStopped the rest of the message being forwarded will not arrive */
  #closeIfPossible(isStopped: boolean): void {
    if (!this.#closing || !(isStopped || this.#isDownWhole)) return
    this.#end(this.#closing.reason, { say: this.#closing.say, isCut: true })
  }

  #notice(reason: EndReason, text: string): Say {
    const decidedAt = this.#options.now()
    return (words) => words.cut({ reason, text, decidedAt })
  }

  #endOverLimit(): void {
    if (!this.#budget.hasRow) this.#endBudget(this.#budget.rowsUsed)
    else this.#end('limit-reached', { say: (words) => words.error(this.#conversation.overLimit()), isCut: true })
  }

  #fail(thrown: unknown, reason: FailedSide): void {
    const { error, say, ...failure } = toFailure(thrown, reason)
    this.#end(failure.reason, { error, say })
  }

  #end(reason: EndReason, { say, error, isCut }: Ending): void {
    if (this.#isOver) return
    this.#isOver = true
    const stoppedAt = this.#options.now()
    this.#idle.stop()
    this.#notices.stop()
    this.#budget.stop()
    this.#backlog.stop()
    clearTimeout(this.#closing?.timer)
    this.#detach()
    const left = leaveTarget(this.#options.target, {
      isBusy: this.isBusy && !this.#conversation.serverHasLeft,
      mayTerminate: this.#isUpWhole,
      isCut: isCutReason(reason),
      lease: this.#options.leaseToEnd,
    })
    endWith(this.#options.client, this.#isDownWhole ? say?.(this.#words) : undefined)
    const unrecorded = thrownBy(() => this.#conversation.finish(this.#unsent))
    const failure = error ?? unrecorded
    const outcome = { reason, bytesUp: this.#bytesUp, bytesDown: this.#bytesDown, ...(isCut ? { stoppedAt } : {}) }
    void left.then(({ unfinished, error: unstopped }) => {
      const why = failure ?? unstopped
      this.#ended.resolve({ ...outcome, ...(unfinished ? { unfinished } : {}), ...(why ? { error: why } : {}) })
    })
  }

  #detach(): void {
    this.#options.permit.signal.removeEventListener('abort', this.#onCut)
    this.#client.stop()
    this.#target.stop()
  }
}
