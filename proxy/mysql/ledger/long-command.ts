import type { Hmac } from 'node:crypto'
import type { Truncated } from '../../recording/captured.ts'
import type { LongText } from '../../recording/long-text.ts'
import { BrokerError } from '../../session.ts'
import { command } from '../../wire/mysql/commands.ts'
import { decodeExecution } from '../../wire/mysql/values.ts'
import type { CommandFinder, Commands } from '../sql/commands.ts'
import { Bound } from './bound.ts'
import { lastPrepared } from './prepared.ts'
import { type ClientCommand, isKill, type ReadingParts, refuseLong, toPrepare, toQuery } from './read-command.ts'

interface PartReader {
  /** @param offset of the bytes within the payload */
  part(bytes: Buffer, start: number, end: number, offset: number): void
  finish(whole: Truncated): ClientCommand
}

/**
 * Commands that are too long to keep, as they pass: both ends of a text, of an execution as much as was kept. Whether one goes on
 * is decided by its beginning.
 */
export class LongCommand {
  readonly #parts: ReadingParts
  #reader: PartReader | undefined
  #hmac: Hmac | undefined
  #offset = 0

  constructor(parts: ReadingParts) {
    this.#parts = parts
  }

  /** @param head of the payload @returns what the broker answers itself; undefined: it goes on */
  begin(head: Buffer): ClientCommand | undefined {
    const asked = head[0] as number
    this.#offset = 0
    this.#reader = undefined
    const { capture } = this.#parts
    if (asked === command.query || asked === command.prepare) {
      const commands = capture.commands(head.subarray(1))
      if (commands.all.some(isKill)) return refuseLong(asked)
      this.#reader = new TextReader(asked, this.#parts, commands)
    } else if (asked === command.execute) this.#reader = new ExecutionReader(head, this.#parts)
    else if (asked === command.sendLongData) this.#reader = new DataReader(head, this.#parts)
    else return refuseLong(asked)
    this.#hmac = capture.digests.begin()
    return undefined
  }

  part(bytes: Buffer, start: number, end: number): void {
    this.#hmac?.update(bytes.subarray(start, end))
    this.#reader?.part(bytes, start, end, this.#offset)
    this.#offset += end - start
  }

  /** @throws BrokerError UNSUPPORTED for a text whose end must not reach the target */
  end(length: number): ClientCommand | undefined {
    const [reader, hmac] = [this.#reader, this.#hmac]
    this.#reader = undefined
    this.#hmac = undefined
    return reader && hmac && reader.finish({ bytes: length, hmac: hmac.digest('hex') })
  }
}

/** Where a text holds one statement, its beginning says which; else all of it is read. */
class TextReader implements PartReader {
  readonly #asked: number
  readonly #text: LongText
  readonly #ofHead: Commands
  readonly #finder: CommandFinder | undefined

  constructor(asked: number, { capture, hasMany }: ReadingParts, ofHead: Commands) {
    this.#asked = asked
    this.#text = capture.long()
    this.#ofHead = ofHead
    this.#finder = hasMany() ? capture.longCommands() : undefined
  }

  part(bytes: Buffer, start: number, end: number, offset: number): void {
    const from = offset === 0 ? start + 1 : start
    this.#text.add(bytes, from, end)
    this.#finder?.feed(bytes, from, end)
  }

  finish(whole: Truncated): ClientCommand {
    const sql = this.#text.finish(whole)
    const commands = this.#finder?.finish() ?? this.#ofHead
    const read =
      this.#asked === command.query
        ? toQuery({ kind: 'query', sql, files: [] }, commands)
        : toPrepare({ kind: 'parse', sql }, commands)
    if (read.kind === 'own') throw new BrokerError('UNSUPPORTED', 'KILL within a long text')
    return read
  }
}

class ExecutionReader implements PartReader {
  readonly #bound: Bound

  constructor(head: Buffer, { capture, longData, statements }: ReadingParts) {
    const { id, hasCursor, parameters } = decodeExecution(head)
    this.#bound = new Bound({ id, hasCursor, parameters: Buffer.from(parameters) }, longData.take(id), capture, true)
    if (id !== lastPrepared) this.#bound.resolve(statements.get(id))
  }

  part(): void {}

  finish(cut: Truncated): ClientCommand {
    return { kind: 'request', request: { kind: 'execute', bound: this.#bound, cut } }
  }
}

const dataHead = 7

class DataReader implements PartReader {
  readonly #parts: ReadingParts
  readonly #sending

  constructor(head: Buffer, parts: ReadingParts) {
    this.#parts = parts
    this.#sending = parts.longData.begin(head.readUInt32LE(1), head.readUInt16LE(5))
  }

  part(bytes: Buffer, start: number, end: number, offset: number): void {
    const from = start + Math.max(0, dataHead - offset)
    if (from < end) this.#parts.longData.add(this.#sending, bytes, from, end)
  }

  finish(): ClientCommand {
    return { kind: 'long-data' }
  }
}
