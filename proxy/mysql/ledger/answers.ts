import { command } from '../../wire/mysql/commands.ts'
import {
  decodeEof,
  decodeOk,
  decodePrepared,
  type Ended,
  type PreparedReply,
  readEof,
  readOk,
  status,
} from '../../wire/mysql/decode.ts'
import { PayloadReader } from '../../wire/mysql/payload-reader.ts'
import { decodeError } from '../../wire/mysql/replies.ts'
import { WireError } from '../../wire/wire-error.ts'

/** Errors after which the server closes: it shuts down, was told to end the session, or waited too long. */
export const farewells: ReadonlySet<number> = new Set([
  1053, 1079, 1152, 1153, 1158, 1159, 1160, 1161, 1927, 3169, 4031,
])

type Failure = ReturnType<typeof decodeError>

/** What the payloads of an answer say. */
export interface AnswerSink {
  /** A result has ended. @param isResultSet with rows @param isSuspended they are fetched later */
  ended(ended: Ended, isResultSet: boolean, isSuspended: boolean): void
  failed(error: Failure): void
  prepared(reply: PreparedReply): void
  /** The server asks for a file. */
  file(name: Buffer): void
  /** The answer is complete. */
  done(): void
}

const phase = { first: 0, columns: 1, rows: 2, rest: 3, any: 4, fields: 5 } as const
type Phase = (typeof phase)[keyof typeof phase]

const [okByte, fileByte, eofByte, errorByte] = [0x00, 0xfb, 0xfe, 0xff] as const
const eofBytes = 9
const fullPiece = 0xff_ffff

/** What is collected of an answer that is no row: all of an error, an OK as far as its text is not longer than this. */
const mostCollected = 128 * 1024

/**
 * Follows one answer from payload to payload (MySQL documentation, "Command Response"). Rows are told by their first byte and
 * their length, and not looked at.
 */
export class Answer {
  readonly #sink: AnswerSink
  readonly #deprecatesEof: boolean
  readonly #isTracking: boolean
  /** Of a payload that begins with 0xFE and ends the rows. */
  readonly #endBelow: number
  #phase: Phase = phase.first
  #command = 0
  /** Payloads of this phase still to come. */
  #left = 0

  constructor(sink: AnswerSink, { deprecatesEof, isTracking }: { deprecatesEof: boolean; isTracking: boolean }) {
    this.#sink = sink
    this.#deprecatesEof = deprecatesEof
    this.#isTracking = isTracking
    this.#endBelow = deprecatesEof ? fullPiece : eofBytes
  }

  begin(asked: number): void {
    this.#command = asked
    if (asked === command.fetch) this.#phase = phase.rows
    else if (asked === command.statistics) this.#phase = phase.any
    else if (asked === command.fieldList) this.#phase = phase.fields
    else this.#phase = phase.first
  }

  /** @param first byte @param length of the payload, or of its first piece */
  isRow(first: number, length: number): boolean {
    if (this.#phase !== phase.rows) return false
    return first !== errorByte && (first !== eofByte || length >= this.#endBelow)
  }

  /** What most answers are made of, read in place. @returns false: `payload` reads it, or says what is wrong with it */
  readQuickly(bytes: Buffer, start: number, end: number): boolean {
    const first = bytes[start] as number
    switch (this.#phase) {
      case phase.first:
        if (first === okByte) return this.#command !== command.prepare && this.#endQuickly(bytes, start, end, false)
        if (end - start !== 1 || first >= fileByte || !hasResults(this.#command)) return false
        this.#expectColumns(first)
        return true
      case phase.columns:
        if (first === errorByte) return false
        if (this.#left === 1 && !this.#deprecatesEof) {
          const flags = readEof(bytes, start, end)
          if (flags < 0 || (flags & status.cursorExists) !== 0) return false
        }
        this.#left -= 1
        if (this.#left === 0) this.#phase = phase.rows
        return true
      case phase.rows:
        return first === eofByte && this.#endQuickly(bytes, start, end, true)
      default:
        return false
    }
  }

  #endQuickly(bytes: Buffer, start: number, end: number, isResultSet: boolean): boolean {
    const isEof = isResultSet && !this.#deprecatesEof
    const flags = isEof ? readEof(bytes, start, end) : readOk(bytes, start, end)
    if (flags < 0 || (!isEof && this.#isTracking && (flags & status.sessionChanged) !== 0)) return false
    this.#end({ status: flags, affected: isEof ? 0 : (bytes[start + 1] as number) }, isResultSet)
    return true
  }

  /** How much of a payload that is no row is to be collected. */
  wanted(length: number): number {
    return Math.min(length, mostCollected)
  }

  /** A payload that is no row. @param isWhole all of it is here */
  payload(bytes: Buffer, isWhole: boolean): void {
    if (bytes[0] === errorByte && this.#phase !== phase.any) {
      this.#sink.failed(decodeError(bytes))
      this.#sink.done()
      return
    }
    switch (this.#phase) {
      case phase.first:
        this.#first(bytes, isWhole)
        return
      case phase.columns:
        this.#column(bytes)
        return
      case phase.rows:
        this.#end(this.#deprecatesEof ? this.#ok(bytes, isWhole) : decodeEof(bytes), true)
        return
      case phase.fields:
        if (bytes[0] === eofByte && bytes.length < this.#endBelow) this.#sink.done()
        return
      case phase.rest:
        this.#left -= 1
        if (this.#left === 0) this.#sink.done()
        return
      case phase.any:
        this.#sink.done()
    }
  }

  #first(bytes: Buffer, isWhole: boolean): void {
    const first = bytes[0]
    if (first === okByte && this.#command === command.prepare) this.#prepared(bytes)
    else if (first === okByte) this.#end(this.#ok(bytes, isWhole), false)
    else if (first === eofByte && bytes.length < eofBytes) this.#end(decodeEof(bytes), false)
    else if (!hasResults(this.#command)) throw new WireError('an unexpected answer')
    else if (first === fileByte) {
      if (!isWhole) throw new WireError('a file name is too long')
      this.#sink.file(bytes.subarray(1))
    } else {
      const columns = new PayloadReader(bytes).length()
      if (columns === 0) throw new WireError('a result without columns')
      if (columns > 0xffff) throw new WireError('too many columns')
      this.#expectColumns(columns)
    }
  }

  #expectColumns(columns: number): void {
    this.#phase = phase.columns
    this.#left = columns + (this.#deprecatesEof ? 0 : 1)
  }

  /** A longer one than is collected is not looked at for changes of the session. */
  #ok(bytes: Buffer, isWhole: boolean): Ended {
    return decodeOk(bytes, this.#isTracking && isWhole)
  }

  #column(bytes: Buffer): void {
    this.#left -= 1
    if (this.#left > 0) return
    this.#phase = phase.rows
    if (this.#deprecatesEof) return
    const ended = decodeEof(bytes)
    if ((ended.status & status.cursorExists) !== 0) this.#end(ended, true)
  }

  #prepared(bytes: Buffer): void {
    const reply = decodePrepared(bytes)
    const end = this.#deprecatesEof ? 0 : 1
    const { parameters, columns } = reply
    this.#left = parameters + (parameters > 0 ? end : 0) + columns + (columns > 0 ? end : 0)
    this.#sink.prepared(reply)
    if (this.#left === 0) this.#sink.done()
    else this.#phase = phase.rest
  }

  #end(ended: Ended, isResultSet: boolean): void {
    const isOpen = (ended.status & (status.cursorExists | status.lastRowSent)) === status.cursorExists
    this.#sink.ended(ended, isResultSet, isResultSet && isOpen)
    if ((ended.status & status.moreResults) !== 0) this.#phase = phase.first
    else this.#sink.done()
  }
}

function hasResults(asked: number): boolean {
  return asked === command.query || asked === command.execute || asked === command.processInfo
}
