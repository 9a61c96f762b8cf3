import { createHash, type Hash } from 'node:crypto'
import { performance } from 'node:perf_hooks'
import { BodyReader } from '../wire/postgres/body-reader.ts'
import {
  decodeBind,
  decodeErrorFields,
  decodeFrontend,
  decodeFunctionCall,
  decodeParameterDescription,
  decodeParse,
  decodeQuery,
} from '../wire/postgres/decode.ts'
import type { FrameSink } from '../wire/postgres/framer.ts'
import { recordValues } from './bound-values.ts'
import { type Captured, PassingBody, recordedSql, untilNul } from './captured.ts'
import { Names, unknownStatement } from './names.ts'
import { type Asked, type Pending, Queue, type StatementError } from './pending.ts'
import type { StatementRecords, Unended } from './statement-record.ts'

const code = (letter: string): number => letter.charCodeAt(0)
const D = code('D')
const d = code('d')
const C = code('C')
const Z = code('Z')
const E = code('E')
const G = code('G')
const s = code('s')
const t = code('t')
/** Server messages that settle a request, where it isn't CommandComplete, ReadyForQuery or an error. */
const settledBy: Readonly<Partial<Record<Pending['kind'], readonly number[]>>> = {
  parse: [code('1')],
  bind: [code('2')],
  close: [code('3')],
  describe: [code('T'), code('n')],
  execute: [code('I'), s],
}
const mostTags = 100
/** Server messages that are read: small all of them, but for errors. */
const collected = new Set([C, Z, E, t])
const longestError = 16_384
const stop = -1

export interface ConversationOptions {
  readonly records: StatementRecords
  /** 0: none. */
  readonly maxRows: number
  onStatement(seconds: number): void
}

/**
 * What client and server say to each other, put together: the ledger of requests that wait for their answer, in which each
 * answer settles the first (PostgreSQL documentation, "Message Flow"). Names count once the server has accepted them, and
 * in its order: what is recorded is what it ran. Rows are counted, not looked at.
 */
export class Conversation {
  readonly up: FrameSink
  readonly down: FrameSink
  readonly #options: ConversationOptions
  readonly #names = new Names()
  readonly #ledger = new Queue<Pending>()
  #settledAt = 0
  /** The server takes CopyData from the client; a Sync sent meanwhile has no answer. */
  #isCopyingIn = false
  #copyHash: Hash | undefined
  /** No message that begins from now on goes to the client. */
  #isClosing = false
  #isOverLimit = false
  #hasTerminated = false
  #lastWords: StatementError | undefined

  constructor(options: ConversationOptions) {
    this.#options = options
    this.up = this.#frontend()
    this.down = this.#backend()
  }

  /** A statement is running, or waits to. */
  get isBusy(): boolean {
    return this.#ledger.size > 0
  }

  /** A statement returned more rows than it may. */
  get isOverLimit(): boolean {
    return this.#isOverLimit
  }

  /** The client has said that it leaves. */
  get hasTerminated(): boolean {
    return this.#hasTerminated
  }

  /** The server has said why it closes. */
  get lastWords(): StatementError | undefined {
    return this.#lastWords
  }

  /** From now on the server's stream stops before the next message. */
  close(): void {
    this.#isClosing = true
  }

  /** Records what waits for an answer that will not come. @throws BrokerError RECORDING_FAILED */
  finish(): void {
    for (let pending = this.#ledger.shift(); pending; pending = this.#ledger.shift())
      this.#record(pending, 'unfinished')
  }

  #frontend(): FrameSink {
    const passing = new PassingBody()
    return {
      begin: (type, length) => (type === d ? 0 : passing.begin(length)),
      part: (type, bytes, start, end) => {
        if (type === d) this.#copiedIn(bytes, start, end)
        else passing.part(bytes, start, end)
      },
      message: (type, bytes, start, end, length) => {
        if (type === d) this.#copyMessage(bytes, start, end, length)
        // A copy: what was collected is overwritten by the next message.
        else this.#asked(type, Buffer.from(bytes.subarray(start, end)), passing.finish())
        return true
      },
    }
  }

  #asked(type: number, body: Buffer, cut: Captured['cut']): void {
    const asked = cut ? readCut(type, body, cut) : this.#read(type, body)
    if (!asked || (asked.kind === 'sync' && this.#isCopyingIn)) return
    this.#ledger.push({ ...asked, at: Date.now(), since: performance.now(), rows: 0, tags: [] })
  }

  /** @returns undefined for what has no answer @throws WireError */
  #read(type: number, body: Buffer): Asked | undefined {
    switch (String.fromCharCode(type)) {
      case 'Q':
        return { kind: 'query', sql: { text: recordedSql(decodeQuery(body)) } }
      case 'P': {
        const { statement, sql, oids } = decodeParse(body)
        return { kind: 'parse', name: nameOf(statement), sql: { text: recordedSql(sql) }, oids }
      }
      case 'B': {
        const message = decodeBind(body)
        return { kind: 'bind', portal: nameOf(message.portal), statement: nameOf(message.statement), message }
      }
      case 'F':
        return { kind: 'function-call', message: decodeFunctionCall(body) }
      default:
        return this.#readOther(type, body)
    }
  }

  #readOther(type: number, body: Buffer): Asked | undefined {
    const message = decodeFrontend(type, body)
    switch (message.kind) {
      case 'execute':
        return { kind: 'execute', portal: nameOf(message.portal) }
      case 'describe':
      case 'close':
        return { kind: message.kind, what: message.what, name: nameOf(message.name) }
      case 'sync':
        return { kind: 'sync' }
      case 'copy-done':
      case 'copy-fail':
        this.#endCopyIn()
        return undefined
      case 'terminate':
        this.#hasTerminated = true
        return undefined
      default:
        return undefined
    }
  }

  #copyMessage(bytes: Buffer, start: number, end: number, length: number): void {
    const copyIn = this.#ledger.first?.copyIn
    if (copyIn) copyIn.messages += 1
    if (end - start === length) this.#copiedIn(bytes, start, end) // else its parts were counted
  }

  #copiedIn(bytes: Buffer, start: number, end: number): void {
    const copyIn = this.#ledger.first?.copyIn
    if (!copyIn || !this.#copyHash) return // after the server has refused it
    copyIn.bytes += end - start
    this.#copyHash.update(bytes.subarray(start, end))
  }

  #endCopyIn(): void {
    this.#isCopyingIn = false
    const copyIn = this.#ledger.first?.copyIn
    if (copyIn && this.#copyHash) copyIn.sha256 = this.#copyHash.digest('hex')
    this.#copyHash = undefined
  }

  #backend(): FrameSink {
    return {
      begin: (type, length) => {
        if (this.#isClosing || (isRow(type) && this.#isOneTooMany())) return stop
        return collected.has(type) ? Math.min(length, longestError) : 0
      },
      part: () => {},
      message: (type, bytes, start, end, length) => {
        const isWhole = start > 0 // what came in pieces begins at 0, and is past stopping
        if (isWhole && (this.#isClosing || (isRow(type) && this.#isOneTooMany()))) return false
        if (type === D) this.#row()
        else if (type === d) this.#copiedOut(length)
        else this.#answered(type, bytes, start, end)
        return true
      },
    }
  }

  #isOneTooMany(): boolean {
    const { maxRows } = this.#options
    const first = this.#ledger.first
    this.#isOverLimit = maxRows > 0 && first !== undefined && first.rows >= maxRows
    return this.#isOverLimit
  }

  #row(): void {
    const first = this.#ledger.first
    if (first) first.rows += 1
  }

  #copiedOut(length: number): void {
    const first = this.#ledger.first
    if (!first) return
    first.rows += 1
    first.copyOut ??= { bytes: 0, messages: 0 }
    first.copyOut.bytes += length
    first.copyOut.messages += 1
  }

  #answered(type: number, bytes: Buffer, start: number, end: number): void {
    const first = this.#ledger.first
    if (type === C) this.#completed(first, new BodyReader(bytes, start, end).text())
    else if (type === Z) this.#ready(bytes[start] as number)
    else if (type === E) this.#failed(first, bytes.subarray(start, end))
    else if (type === t && first?.kind === 'describe')
      this.#typed(first.name, decodeParameterDescription(bytes.subarray(start, end)))
    else if (type === G) this.#beginCopyIn(first)
    else if (first && settledBy[first.kind]?.includes(type)) this.#settle(type === s ? 'suspended' : undefined)
  }

  #typed(name: string, oids: readonly number[]): void {
    const statement = this.#names.statement(name)
    if (statement) statement.oids = oids
  }

  #completed(first: Pending | undefined, tag: string): void {
    if (!first) return
    if (first.tags.length < mostTags) first.tags.push(tag)
    if (first.kind === 'execute') this.#settle()
  }

  #beginCopyIn(first: Pending | undefined): void {
    if (!first) return
    this.#isCopyingIn = true
    this.#copyHash = createHash('sha256')
    first.copyIn = { bytes: 0, messages: 0 }
    this.#ledger.remove(({ kind }) => kind === 'sync') // sent before the client knew; the server passes over them
  }

  #failed(first: Pending | undefined, body: Buffer): void {
    const { V, S, C: state = '', M: message = '', P: position } = readError(body)
    const error = { code: state, message: message.slice(0, 2000), ...(position ? { position } : {}) }
    if (V === 'FATAL' || V === 'PANIC' || (V === undefined && S === 'FATAL')) this.#lastWords = error
    this.#isCopyingIn = false
    this.#copyHash = undefined
    if (!first) return
    first.error ??= error
    if (first.kind === 'query' || first.kind === 'function-call' || first.kind === 'sync') return // its ReadyForQuery settles it
    this.#settle()
    for (let next = this.#ledger.first; next && next.kind !== 'sync'; next = this.#ledger.first) {
      this.#ledger.shift()
      this.#record(next, 'skipped')
    }
  }

  /** Answers the first that waits for it; whatever stands before that had its answer, or the server left it out. */
  #ready(status: number): void {
    for (let next = this.#ledger.first; next; next = this.#ledger.first) {
      const isLast = next.kind === 'sync' || next.kind === 'query' || next.kind === 'function-call'
      if (next.kind === 'query' || next.kind === 'function-call' || !isLast)
        this.#settle(isLast ? undefined : 'skipped')
      else this.#ledger.shift()
      if (isLast) break
    }
    if (status === code('I')) this.#names.endTransaction()
  }

  #settle(unended?: Unended): void {
    const pending = this.#ledger.shift()
    if (!pending) return
    if (!pending.error && !unended) this.#accept(pending)
    const isSaid = pending.kind === 'query' || pending.kind === 'execute' || pending.kind === 'function-call'
    if (isSaid || pending.error || unended === 'skipped') this.#record(pending, unended)
  }

  #accept(pending: Pending): void {
    const names = this.#names
    if (pending.kind === 'parse') names.parse(pending.name, { sql: pending.sql, oids: pending.oids })
    else if (pending.kind === 'bind') this.#bind(pending)
    else if (pending.kind === 'close' && pending.what === 'portal') names.closePortal(pending.name)
    else if (pending.kind === 'close') names.closeStatement(pending.name)
  }

  #bind({ portal, statement: name, message, cut }: Extract<Pending, { kind: 'bind' }>): void {
    const statement = this.#names.statement(name) ?? unknownStatement
    const values = message ? recordValues(message.values, message.formats, statement.oids) : []
    this.#names.bind(portal, { statement, values, ...(cut ? { cut } : {}) })
  }

  /** Of a group that the server left out, what it would have run; its Bind carries the values. */
  #isWorthSkipping(pending: Pending): boolean {
    if (pending.kind === 'execute') return this.#names.portal(pending.portal) !== undefined
    return pending.kind !== 'describe'
  }

  /** In a pipeline a statement begins when the one before it is done. */
  #record(pending: Pending, unended?: Unended): void {
    if (pending.kind === 'sync' || pending.kind === 'close') return
    if (unended === 'skipped' && !this.#isWorthSkipping(pending)) return
    const now = performance.now()
    const seconds = unended === 'skipped' ? 0 : (now - Math.max(pending.since, this.#settledAt)) / 1000
    this.#settledAt = now
    if (unended !== 'skipped') this.#options.onStatement(seconds)
    this.#options.records.write(pending, this.#names, seconds, unended)
  }
}

function isRow(type: number): boolean {
  return type === D || type === d
}

/** Names are bytes; as keys they must only be told apart. */
function nameOf(name: Buffer): string {
  return name.toString('latin1')
}

/** A message that is too long to keep: as much of it as its beginning says. */
function readCut(type: number, body: Buffer, cut: NonNullable<Captured['cut']>): Asked | undefined {
  const first = untilNul(body)
  const rest = body.subarray(first.length + 1)
  switch (String.fromCharCode(type)) {
    case 'Q':
      return { kind: 'query', sql: { text: recordedSql(first), cut } }
    case 'P':
      return { kind: 'parse', name: nameOf(first), sql: { text: recordedSql(untilNul(rest)), cut }, oids: [] }
    case 'B':
      return { kind: 'bind', portal: nameOf(first), statement: nameOf(untilNul(rest)), message: undefined, cut }
    case 'F':
      return { kind: 'function-call', message: undefined, cut }
    default:
      return undefined // the framer lets no other type be this long
  }
}

/** Errors longer than is kept are read as far as they go. */
function readError(body: Buffer): Partial<Record<string, string>> {
  if (body.length < longestError) return decodeErrorFields(body)
  const fields = body.toString('utf8').split('\0')
  return Object.fromEntries(fields.map((field) => [field.charAt(0), field.slice(1)]))
}
