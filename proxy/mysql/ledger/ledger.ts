import { performance } from 'node:perf_hooks'
import { keptBytes } from '../../recording/captured.ts'
import { CopyDigest } from '../../recording/passing-digest.ts'
import { Queue } from '../../recording/queue.ts'
import type { Incomplete } from '../../recording/statement-entry.ts'
import { tooManyRows } from '../../relay/budget.ts'
import type { Conversation, PartialPass, Sides } from '../../relay/conversation.ts'
import type { Words } from '../../relay/words.ts'
import { BrokerError } from '../../session.ts'
import { capability, has } from '../../wire/mysql/capabilities.ts'
import { CommandFramer, type CommandSink } from '../../wire/mysql/command-framer.ts'
import { command } from '../../wire/mysql/commands.ts'
import type { Ended, PreparedReply } from '../../wire/mysql/decode.ts'
import { Framer, type PayloadSink } from '../../wire/mysql/framer.ts'
import { WireError } from '../../wire/wire-error.ts'
import { wordsFor } from '../errors.ts'
import { Answer, farewells } from './answers.ts'
import { EntryLog } from './entry-log.ts'
import type { LedgerParts } from './ledger-parts.ts'
import { LongCommand } from './long-command.ts'
import { OwnAnswers } from './own-answers.ts'
import { Pending, type Request } from './pending.ts'
import { LongData, PreparedStatements, toStatement } from './prepared.ts'
import { readQuickly } from './quick-read.ts'
import { type ClientCommand, type OwnWork, readCommand } from './read-command.ts'
import { roomOf } from './room.ts'

const stop = -1
const autocommit = 0x2

/**
 * What client and server say to each other, put together: commands that wait for their answer, in order. A client may send more
 * before it has one, as MariaDB's connectors do. Rows are counted, not looked at. Commands that the target must not see are
 * answered here (MySQL documentation, "Command Phase").
 */
export class Ledger implements Conversation {
  readonly up: CommandFramer
  readonly down: Framer
  readonly words: Words
  readonly #parts: LedgerParts
  readonly #waiting = new Queue<Pending>()
  readonly #statements = new PreparedStatements()
  readonly #longData: LongData
  readonly #answer: Answer
  readonly #own: OwnAnswers
  readonly #log: EntryLog
  /** When the current chunk arrived: all of its messages share this time. By the clock once it is asked for; 0 until then. */
  #at = 0
  #since = 0
  #settledAt = 0
  #upload: CopyDigest | undefined
  #status = autocommit
  /** No payload that begins from now on goes to the client. */
  #isClosing = false
  /** Except this one, whose header is partly sent. */
  #mayFinish = false
  #isFinished = false
  /** The result that ended last is fetched later. */
  #isSuspended = false
  /** A text may hold several statements: by the sign-in, or since the client has asked for it. */
  #hasMany: boolean
  clientHasLeft = false
  serverHasLeft = false

  constructor(parts: LedgerParts) {
    this.#parts = parts
    const { capture, capabilities } = parts
    capture.isSettled = () => this.#waiting.size === 0
    this.#longData = new LongData(capture.digests)
    const isTracking = has(capabilities, capability.sessionTrack)
    this.#own = new OwnAnswers({ ...parts, isTracking })
    this.#log = new EntryLog(parts)
    this.#hasMany = has(capabilities, capability.multiStatements)
    this.up = new CommandFramer(this.#commands(), keptBytes)
    this.down = new Framer(this.#payloads())
    this.words = wordsFor(() => this.#nextToClient)
    this.#answer = new Answer(
      {
        ended: (ended, isResultSet, isSuspended) => this.#resultEnded(ended, isResultSet, isSuspended),
        failed: (error) => this.#failed(error),
        prepared: (reply) => this.#prepared(reply),
        file: (name) => this.#beginUpload(name),
        done: () => this.#settle(this.#isSuspended ? 'suspended' : undefined),
      },
      { deprecatesEof: has(capabilities, capability.deprecateEof), isTracking },
    )
    this.tick()
  }

  tick(now = performance.now()): void {
    this.#at = 0
    this.#since = now
  }

  get waiting(): number {
    return this.#waiting.size
  }

  get settledAt(): number {
    return this.#settledAt
  }

  /** Id of the packet that the client waits for; while it waits for none, 0. */
  get #nextToClient(): number {
    const own = this.#own.sequence
    if (own !== undefined && this.#waiting.size === 0) return own
    if (this.#upload) return this.up.nextData
    return Math.max(this.down.nextToSend, 0)
  }

  close(): void {
    this.#isClosing = true
    this.#mayFinish = this.down.inHeader
  }

  overLimit(): BrokerError {
    return tooManyRows(this.#parts.maxRows)
  }

  begin(since: number): boolean {
    for (let i = 0; i < this.#waiting.size; i += 1) {
      const pending = this.#waiting.at(i) as Pending
      if (pending.since > since) return true
      this.#log.begun(pending)
    }
    const own = this.#own.pending
    if (own && own.since <= since) this.#log.begun(own)
    return false
  }

  finish(unsent: number): void {
    this.tick()
    this.#endUpload(false)
    while (this.#waiting.size > 0) this.#settle(this.#waiting.size > unsent ? 'unfinished' : 'unsent')
    const own = this.#own.take()
    if (own) {
      this.#parts.entries.release(own.pending.room)
      this.#log.ended(own.pending, this.#since, 'unfinished')
    }
    for (const statement of this.#statements.takeAll()) this.#log.unrun(statement)
    this.#isFinished = true
  }

  takePassing(): PartialPass {
    return this.up.passing
  }

  async answer(sides: Sides): Promise<Buffer> {
    const { pending, packet, reset } = await this.#own.answer(this.#status, sides)
    if (this.#isFinished || this.#own.take() === undefined) return packet
    this.tick()
    if (reset) {
      this.#reset()
      this.#resultEnded(reset, false, false)
    }
    this.#parts.entries.release(pending.room)
    this.#log.answered(pending, this.#since)
    this.#settledAt = this.#since
    return packet
  }

  #commands(): CommandSink {
    const keepsReset = this.#parts.reset !== undefined
    const hasMany = () => this.#hasMany
    const reading = { ...this.#parts, hasMany, keepsReset, statements: this.#statements, longData: this.#longData }
    const long = new LongCommand(reading)
    let asked = 0
    const ledger = this
    return {
      get isData() {
        return ledger.#upload !== undefined
      },
      command: (bytes, start, end) =>
        this.#received(
          bytes[start] as number,
          readQuickly(bytes, start, end, reading) ?? readCommand(bytes.subarray(start, end), reading),
          1,
        ),
      begin: (bytes, start, end) => {
        asked = bytes[start] as number
        const own = long.begin(bytes.subarray(start, end))
        return own === undefined || this.#received(asked, own, 1)
      },
      part: (bytes, start, end) => {
        if (this.#upload) this.#upload.add(bytes, start, end)
        else long.part(bytes, start, end)
      },
      end: (length, sequence) => {
        const read = long.end(length)
        if (read) this.#received(asked, read, sequence)
      },
      endData: (length, sequence) => {
        if (length > 0) {
          this.#upload?.count()
          return
        }
        this.#endUpload(true)
        this.down.next = sequence
      },
    }
  }

  /** @returns whether it goes on */
  #received(asked: number, read: ClientCommand, sequence: number): boolean {
    switch (read.kind) {
      case 'quit':
        this.clientHasLeft = true
        return true
      case 'close':
        this.#closed(read.id)
        return true
      case 'long-data':
        return true
      case 'own':
        this.#keepBack(this.#pendingOf(asked, read.request, sequence), read.work)
        return false
      case 'request':
        this.#push(this.#pendingOf(asked, read.request, sequence))
        return true
    }
  }

  #pendingOf(asked: number, request: Request, sequence: number): Pending {
    if (this.#at === 0) this.#at = this.#parts.now()
    const room = roomOf(request)
    return new Pending({ command: asked, request, at: this.#at, since: this.#since, room, sequence })
  }

  #keepBack(pending: Pending, work: OwnWork): void {
    this.#own.keep(pending, work)
    this.#parts.entries.reserve(pending.room)
  }

  /** One without room is on record too: as not sent. @throws BrokerError LIMIT_REACHED, RECORDING_FAILED */
  #push(pending: Pending): void {
    this.#waiting.push(pending)
    if (pending.command === command.setOption) this.#hasMany = true
    if (pending.request.kind === 'reset') this.#longData.take(pending.request.id)
    if (this.#waiting.size === 1) this.#expect(pending)
    this.#parts.entries.reserve(pending.room)
  }

  /** The next payload of the server answers it. */
  #expect(pending: Pending | undefined): void {
    this.down.next = pending ? pending.sequence : -1
    if (pending) this.#answer.begin(pending.command)
  }

  #payloads(): PayloadSink {
    let isRow = false
    return {
      whole: (bytes, start, end) => {
        if (this.#isClosing) return false
        if (this.#answer.isRow(bytes[start] as number, end - start)) return this.#countRow()
        if (this.#upload || this.#waiting.size === 0 || !this.#answer.readQuickly(bytes, start, end))
          this.#payload(bytes.subarray(start, end), true)
        return true
      },
      begin: (first, length) => {
        if (this.#isClosing && !this.#mayFinish) return stop
        this.#mayFinish = false
        isRow = this.#answer.isRow(first, length)
        if (isRow) return this.#countRow() ? 0 : stop
        return this.#answer.wanted(length)
      },
      end: (collected, isWhole) => {
        if (!isRow) this.#payload(collected, isWhole)
      },
    }
  }

  /** @returns false: it is one too many */
  #countRow(): boolean {
    const { budget, maxRows } = this.#parts
    if (!budget.hasRow) return false
    const first = this.#waiting.first
    if (!first) throw new WireError('a row that was not asked for')
    if (maxRows > 0) {
      const { request } = first
      const before = request.kind === 'fetch' ? (request.statement?.fetched ?? 0) : 0
      if (before + first.rowsOfResult >= maxRows) return false
    }
    budget.rows += 1
    first.rows += 1
    first.rowsOfResult += 1
    return true
  }

  #payload(bytes: Buffer, isWhole: boolean): void {
    if (this.#waiting.size === 0 && bytes[0] !== 0xff) throw new WireError('an answer that was not asked for')
    if (this.#upload) this.#answeredEarly(bytes)
    this.#answer.payload(bytes, isWhole)
  }

  /** Servers read a file to its end, unless they leave. */
  #answeredEarly(bytes: Buffer): void {
    if (bytes[0] !== 0xff) throw new WireError('an answer before the file has ended')
    this.#endUpload(false)
  }

  #resultEnded({ status, affected, changes }: Ended, isResultSet: boolean, isSuspended: boolean): void {
    this.#status = status
    const { capture } = this.#parts
    capture.status(status)
    this.#isSuspended = isSuspended
    const first = this.#waiting.first
    if (!first) return
    first.database = changes?.database ?? first.database
    if (first.isStatement) first.addTag(isResultSet ? `ROWS ${first.rowsOfResult}` : `OK ${affected}`)
    first.rowsOfResult = 0
  }

  #failed({ number, state, message }: { number: number; state: string; message: string }): void {
    if (farewells.has(number) || this.#waiting.size === 0) this.serverHasLeft = true
    const first = this.#waiting.first
    this.#isSuspended = false
    this.#parts.capture.status(undefined)
    if (first) first.error = { code: state, number, message: message.slice(0, 2000) }
  }

  #prepared({ id, parameters }: PreparedReply): void {
    const first = this.#waiting.first
    if (first?.request.kind !== 'parse') return
    const { sql } = first.request
    const statement = toStatement(id, sql, first.at, parameters)
    this.#log.unrun(this.#statements.get(id))
    if (this.#statements.add(statement)) return
    statement.isShown = true
    this.#log.forgotten(first)
  }

  /** @throws WireError for a file that the client was not asked for by its own statement */
  #beginUpload(name: Buffer): void {
    const first = this.#waiting.first
    const files = first?.request.kind === 'query' ? first.request.files : []
    const isAsked = files.includes(name.toString('latin1'))
    const { mayLoadLocal, capabilities, capture } = this.#parts
    if (!mayLoadLocal || !has(capabilities, capability.localFiles) || !isAsked)
      throw new WireError('the server asks for a file that the statement does not name')
    if (this.#waiting.size > 1 || !this.up.isIdle) {
      const hint = 'Wait for the answer to LOAD DATA LOCAL before sending the next command.'
      throw new BrokerError('PROTOCOL_ERROR', 'a command during LOAD DATA LOCAL', { hint })
    }
    this.#upload = new CopyDigest(capture.digests)
    this.up.expectData(this.down.next)
  }

  #endUpload(isWhole: boolean): void {
    const first = this.#waiting.first
    if (first && this.#upload) first.copyIn = this.#upload.finish(isWhole)
    this.#upload = undefined
  }

  #settle(incomplete?: Incomplete): void {
    const pending = this.#waiting.shift()
    if (!pending) return
    this.#parts.entries.release(pending.room)
    this.#expect(this.#waiting.first)
    this.#settledAt = this.#since
    const { request, error } = pending
    if (request.kind === 'execute') this.#executed(request.bound.id, request)
    if (request.kind === 'fetch' && request.statement) request.statement.fetched += pending.rows
    if (request.kind === 'parse' && error) this.#statements.refused(toStatement(0, request.sql, pending.at, 0))
    if (pending.command === command.resetConnection && !error && !incomplete) this.#reset()
    const isRemembered = request.kind === 'parse' && !error && !incomplete
    if (isRemembered ? pending.number > 0 : pending.isRecorded) this.#log.ended(pending, this.#since, incomplete)
    this.#isSuspended = false
  }

  #executed(id: number, { bound }: Request & { kind: 'execute' }): void {
    bound.resolve(this.#statements.get(id))
    if (!bound.statement) return
    bound.statement.isShown = true
    bound.statement.fetched = 0
  }

  /** Drops what the server drops too. */
  #reset(): void {
    this.#longData.clear()
    for (const statement of this.#statements.takeAll()) this.#log.unrun(statement)
  }

  #closed(id: number): void {
    this.#longData.take(id)
    this.#log.unrun(this.#statements.remove(id))
  }
}
