import { performance } from 'node:perf_hooks'
import { keptBytes } from '../../recording/captured.ts'
import { Queue } from '../../recording/queue.ts'
import type { Incomplete } from '../../recording/statement-entry.ts'
import { tooManyRows } from '../../relay/budget.ts'
import type { Conversation, ConversationParts } from '../../relay/conversation.ts'
import type { BrokerError } from '../../session.ts'
import { BodyReader } from '../../wire/postgres/body-reader.ts'
import { decodeParameterDescription } from '../../wire/postgres/decode.ts'
import { backendSizes, Framer, type FrameSink, frontendSizes } from '../../wire/postgres/framer.ts'
import {
  answers,
  code,
  collected,
  commandComplete,
  copyData,
  copyInResponse,
  copyOutResponse,
  dataRow,
  emptyQuery,
  errorResponse,
  functionResult,
  parameterDescription,
  parameterStatus,
  portalSuspended,
  readyForQuery,
} from './answers.ts'
import { Begun } from './begun.ts'
import { type ClientMessage, readClientMessage } from './client-message.ts'
import { Copies, statementDuringCopy } from './copies.ts'
import { LongMessages } from './long-message.ts'
import { Names, toPortal } from './names.ts'
import { type ClientRequest, Pending } from './pending.ts'
import { readQuickly } from './quick-read.ts'
import { Room } from './room.ts'
import { errorOf, isFatal, longestError, readError } from './server-error.ts'
import type { SessionCapture } from './session-capture.ts'
import { toEntry } from './statement-record.ts'
import { readTag } from './tags.ts'
import { Unrun } from './unrun.ts'

const stop = -1

export interface LedgerParts extends ConversationParts {
  /** 0: none. */
  readonly maxRows: number
  readonly capture: SessionCapture
}

/**
 * What client and server say to each other, put together: the ledger of requests that wait for their answer, in which each
 * answer settles the first (PostgreSQL documentation, "Message Flow"). Names count once the server has accepted them, and
 * in its order: what is recorded is what it ran. Rows are counted, not looked at.
 */
export class Ledger implements Conversation {
  readonly up: Framer
  readonly down: Framer
  readonly #parts: LedgerParts
  readonly #names = new Names()
  readonly #ledger = new Queue<Pending>()
  readonly #room = new Room(this.#names)
  readonly #unrun = new Unrun(this.#names, (entry) => this.#write(entry))
  readonly #begun = new Begun(this.#ledger, this.#names)
  /** When the current chunk arrived: all of its messages share this time. By the clock once it is asked for; 0 until then. */
  #at = 0
  #since = 0
  #settledAt = 0
  /** When the last statement completed. A Bind answered in the same chunk as its Execute does not shorten it. */
  #doneAt = 0
  /** After an error in the extended protocol the server skips everything up to the next Sync. */
  #isSkipping = false
  readonly #copies: Copies
  /** No message that begins from now on goes to the client. */
  #isClosing = false
  /** Except this one, whose header is partly sent. */
  #mayFinish = false
  /** The client has sent its terminate message. */
  clientHasLeft = false
  /** The server has reported why it closes. */
  serverHasLeft = false

  constructor(parts: LedgerParts) {
    this.#parts = parts
    this.#copies = new Copies(parts.capture.digests)
    parts.capture.isSettled = () => this.#ledger.size === 0
    parts.capture.names = this.#names
    this.up = new Framer(frontendSizes, this.#frontend())
    this.down = new Framer(backendSizes, this.#backend())
    this.tick()
  }

  tick(now = performance.now()): void {
    this.#at = 0
    this.#since = now
  }

  /** Requests without an answer yet. */
  get waiting(): number {
    return this.#ledger.size
  }

  /** When the last answer arrived, by `performance.now()`. */
  get settledAt(): number {
    return this.#settledAt
  }

  /** Many clients read nothing but data amid a COPY. */
  get mustBeQuiet(): boolean {
    return this.#copies.areUnderWay
  }

  /** Lets a message finish whose header is partly sent. */
  close(): void {
    this.#isClosing = true
    this.#mayFinish = this.down.inHeader
  }

  overLimit(): BrokerError {
    return tooManyRows(this.#parts.maxRows)
  }

  /**
   * Records what waits for an answer that will not come, with the values that it was given: the server answers late in the
   * extended protocol, so the Bind of what runs may wait too. @throws BrokerError RECORDING_FAILED */
  finish(unsent: number): void {
    this.tick()
    this.#copies.end(this.#ledger.first, false)
    while (this.#ledger.size > 0) this.#settle(this.#ledger.size > unsent ? 'unfinished' : 'unsent')
    this.#unrun.write()
  }

  begin(since: number): boolean {
    return this.#begun.write(since, this.#write)
  }

  readonly #write = (entry: string): void => this.#parts.entries.write(entry)

  #frontend(): FrameSink {
    const { capture } = this.#parts
    const passing = new LongMessages(capture)
    return {
      begin: (type, length) => (type === copyData ? 0 : passing.begin(type, length)),
      part: (type, bytes, start, end) => {
        if (type === copyData) this.#copies.in?.add(bytes, start, end)
        else passing.part(bytes, start, end)
      },
      message: (type, bytes, start, end, length) => {
        if (type === copyData) {
          if (isWhole(start)) this.#copies.in?.add(bytes, start, end)
          this.#copies.in?.count()
          return true
        }
        const message =
          length > keptBytes
            ? passing.long(type, bytes, start, end)
            : (readQuickly(type, bytes, start, end, capture) ??
              readClientMessage(type, bytes.subarray(start, end), capture))
        if (message) this.#received(message)
        return true
      },
    }
  }

  #received(message: ClientMessage): void {
    if (message.kind === 'terminate') this.clientHasLeft = true
    else if (message.kind === 'copy-end') this.#copies.endIn(this.#ledger.first, message.isDone)
    else if (this.#copies.in) this.#copies.requested(message)
    else if (this.#isSkipping && message.kind !== 'sync') this.#receivedWhileSkipping(this.#pendingOf(message))
    else {
      this.#isSkipping = false
      this.#push(this.#pendingOf(message))
    }
  }

  #pendingOf(request: ClientRequest): Pending {
    if (this.#ledger.size === 0) this.#room.reset()
    if (this.#at === 0) this.#at = this.#parts.now()
    return new Pending(request, this.#at, this.#since, this.#room.of(request))
  }

  #receivedWhileSkipping(pending: Pending): void {
    this.#parts.entries.reserve(pending.room)
    this.#parts.entries.release(pending.room)
    this.#recordSkipped(pending)
  }

  /** One without room is on record too: as not sent. @throws BrokerError LIMIT_REACHED, RECORDING_FAILED */
  #push(pending: Pending): void {
    this.#ledger.push(pending)
    this.#parts.entries.reserve(pending.room)
  }

  #backend(): FrameSink {
    return {
      begin: (type, length) => {
        if (!this.#mayBegin(type)) return stop
        return collected.has(type) ? Math.min(length, longestError) : 0
      },
      part: (type, bytes, start, end) => {
        if (type === copyData) this.#copies.beginOut().add(bytes, start, end)
      },
      message: (type, bytes, start, end) => {
        if (isWhole(start) && !this.#mayBegin(type)) return false
        if (type === dataRow) this.#countRow()
        else if (type === copyData) {
          const copy = this.#copies.beginOut()
          if (isWhole(start)) copy.add(bytes, start, end)
          copy.count()
          this.#countRow()
        } else this.#answered(type, bytes, start, end)
        return true
      },
    }
  }

  #mayBegin(type: number): boolean {
    if (this.#isClosing) {
      const may = this.#mayFinish
      this.#mayFinish = false
      return may
    }
    return (type !== dataRow && type !== copyData) || this.#mayHaveRow()
  }

  #mayHaveRow(): boolean {
    const first = this.#ledger.first
    if (!this.#parts.budget.hasRow) return false
    if (!first || this.#parts.maxRows === 0) return true
    const { request } = first
    const before = request.kind === 'execute' ? (this.#names.portal(request.portal)?.rows ?? 0) : 0
    return before + first.rowsOfStatement < this.#parts.maxRows
  }

  #countRow(): void {
    this.#parts.budget.rows += 1
    const first = this.#ledger.first
    if (!first) return
    first.rows += 1
    first.rowsOfStatement += 1
  }

  #answered(type: number, bytes: Buffer, start: number, end: number): void {
    const first = this.#ledger.first
    if (type === commandComplete)
      this.#completed(first, readTag(bytes, start, end) ?? new BodyReader(bytes, start, end).text())
    else if (type === readyForQuery) this.#ready(first, bytes[start] as number)
    else if (type === errorResponse) this.#failed(first, bytes.subarray(start, end))
    else if (type === parameterDescription) this.#typed(first, bytes.subarray(start, end))
    else if (type === copyInResponse) this.#beginCopyIn(first)
    else if (type === copyOutResponse) this.#copies.beginOut()
    else if (type === parameterStatus) this.#parts.capture.parameter(bytes.subarray(start, end))
    else if (first) this.#otherAnswer(first, type)
  }

  #otherAnswer(first: Pending, type: number): void {
    if (answers(type, first.kind)) this.#settle(type === portalSuspended ? 'suspended' : undefined)
    else if (type === emptyQuery || type === functionResult) first.isAnswered = true
  }

  #typed(first: Pending | undefined, body: Buffer): void {
    if (first?.request.kind !== 'describe') return
    const statement = this.#names.statement(first.request.name)
    if (statement) statement.oids = decodeParameterDescription(body)
  }

  #completed(first: Pending | undefined, tag: string): void {
    if (first?.kind !== 'execute') this.#change(first, tag)
    if (!first) return
    first.completed += 1
    this.#copies.end(first, true)
    first.isAnswered = true
    first.rowsOfStatement = 0
    first.addTag(tag)
    if (first.kind !== 'execute') return
    this.#settle()
    this.#change(first, tag)
  }

  /** What stands for a name until now is on record first: the portal that was bound last, and what was executed. */
  #change(first: Pending | undefined, tag?: string): void {
    const changes = this.#names.changesBy(first, tag)
    if (changes.length === 0) return
    this.#unrun.writeBound()
    this.#names.change(changes)
  }

  #beginCopyIn(first: Pending | undefined): void {
    if (!first) return
    for (let i = 1; i < this.#ledger.size; i += 1) this.#copies.requested((this.#ledger.at(i) as Pending).request)
    for (const { room } of this.#ledger.takeRest()) this.#parts.entries.release(room)
    this.#copies.begin()
  }

  #failed(first: Pending | undefined, body: Buffer): void {
    const fields = readError(body)
    const error = errorOf(fields)
    if (isFatal(fields)) this.serverHasLeft = true
    this.#copies.end(first, false)
    const isUnsure = this.#copies.takeEarlySync()
    if (!first) return
    first.error ??= error
    first.isAnswered = true
    const { kind } = first
    const isLater = kind === 'query' || kind === 'function-call' || kind === 'sync' // its ReadyForQuery settles it
    if (!isLater) this.#settle()
    this.#change(first)
    if (!isLater) this.#skip(isUnsure)
  }

  /**
   * @param isUnsure a COPY failed, and the server may or may not have seen the Sync that the client sent before it: whether it
   *   skips the statements that follow can't be known
   */
  #skip(isUnsure: boolean): void {
    this.#isSkipping = true
    for (let next = this.#ledger.first; next; next = this.#ledger.first) {
      if (next.kind === 'sync') {
        this.#isSkipping = false
        return
      }
      if (isUnsure) throw statementDuringCopy()
      this.#ledger.shift()
      this.#parts.entries.release(next.room)
      this.#recordSkipped(next)
    }
  }

  /** Records what a skipped group would have run: the Bind before an Execute says more than the Execute. */
  #recordSkipped(pending: Pending): void {
    const { kind } = pending
    if (kind !== 'execute' && kind !== 'describe' && kind !== 'close') this.#record(pending, 'skipped')
  }

  /** Settles a request that was answered before. Any other ReadyForQuery answers a Sync that was assumed to be ignored. */
  #ready(first: Pending | undefined, status: number): void {
    this.#isSkipping = false
    this.#unrun.write()
    this.#names.resume()
    if (status === code('I')) this.#names.endTransaction()
    const kind = first?.kind
    if (kind === 'sync' || ((kind === 'query' || kind === 'function-call') && first?.isAnswered)) this.#settle()
  }

  #settle(incomplete?: Incomplete): void {
    const pending = this.#ledger.shift()
    if (!pending) return
    this.#parts.entries.release(pending.room)
    const { request, kind, error } = pending
    if (request.kind === 'execute') this.#fetched(request.portal, pending.rows)
    else if (kind === 'bind' || kind === 'close') this.#unrun.writeBound()
    else if (kind === 'query') this.#names.queried()
    const isRemembered = error !== undefined || kind === 'query' || kind === 'sync' || this.#accept(request)
    const isStatement = kind === 'query' || kind === 'execute' || kind === 'function-call'
    if (isStatement || error || !isRemembered) this.#record(pending, incomplete)
    else this.#settledWithoutEntry(pending, incomplete)
  }

  #settledWithoutEntry(pending: Pending, incomplete?: Incomplete): void {
    this.#settledAt = this.#since
    this.#unrun.add(pending, incomplete)
  }

  #fetched(name: string, rows: number): void {
    this.#unrun.executed(name)
    const portal = this.#names.portal(name)
    if (portal) portal.rows += rows
  }

  /** @returns false when it can't be remembered */
  #accept(request: ClientRequest): boolean {
    const names = this.#names
    if (request.kind === 'parse') return names.parse({ name: request.name, sql: request.sql, oids: request.oids })
    if (request.kind === 'bind')
      return names.bind(request.portal, toPortal(request, names.statement(request.statement)))
    if (request.kind === 'close' && request.what === 'portal') names.closePortal(request.name)
    else if (request.kind === 'close') names.closeStatement(request.name)
    return true
  }

  /** In a pipeline a statement begins when the previous one completes. */
  #record(pending: Pending, incomplete?: Incomplete): void {
    const seconds =
      incomplete === 'skipped' || incomplete === 'unsent'
        ? 0
        : (this.#since - Math.max(pending.since, this.#doneAt)) / 1000
    this.#settledAt = this.#since
    this.#doneAt = this.#since
    const entry = toEntry(pending, this.#names, seconds, incomplete)
    if (pending.request.kind === 'parse') this.#names.refused(pending.request, pending.error, incomplete)
    if (!entry) return
    this.#parts.entries.write(entry.text, entry.isPlain)
    if (incomplete !== 'skipped' && incomplete !== 'unsent') this.#parts.onStatement(seconds)
  }
}

/** A body that arrived in pieces was collected from offset 0; within a chunk the header precedes it. */
function isWhole(start: number): boolean {
  return start > 0
}
