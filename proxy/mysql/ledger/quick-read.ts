import { command } from '../../wire/mysql/commands.ts'
import { mayHoldCommand } from '../sql/commands.ts'
import { Bound } from './bound.ts'
import { lastPrepared } from './prepared.ts'
import { readQuickly as readValues } from './quick-values.ts'
import type { ClientCommand, ReadingParts } from './read-command.ts'

const none: readonly never[] = []
/** Command, int<4> id, int<1> flags, int<4> 1. */
const executionHead = 10
const cursorFlags = 0x07

/**
 * Reads, in place and without a copy, the commands that a driver sends again and again: a query of plain text, and an execution with
 * integers and short texts.
 * @returns undefined for any other: `readCommand` reads it, or says what is wrong with it
 */
export function readQuickly(bytes: Buffer, start: number, end: number, parts: ReadingParts): ClientCommand | undefined {
  const asked = bytes[start]
  if (asked === command.query) return readQuery(bytes, start + 1, end, parts)
  if (asked === command.execute) return readExecution(bytes, start, end, parts)
  return undefined
}

function readQuery(bytes: Buffer, start: number, end: number, { capture }: ReadingParts): ClientCommand | undefined {
  const sql = capture.plain(bytes, start, end)
  if (!sql || mayHoldCommand.test(sql.text)) return undefined
  return { kind: 'request', request: { kind: 'query', sql, files: none } }
}

function readExecution(
  bytes: Buffer,
  start: number,
  end: number,
  { capture, statements, longData }: ReadingParts,
): ClientCommand | undefined {
  if (end - start < executionHead) return undefined
  const id = bytes.readUInt32LE(start + 1)
  const statement = id === lastPrepared ? undefined : statements.get(id)
  if (!statement || longData.has(id)) return undefined
  const from = start + executionHead
  const values = readValues(bytes, from, end, statement, capture)
  if (!values) return undefined
  const hasCursor = ((bytes[start + 5] as number) & cursorFlags) !== 0
  const bound = Bound.read({ id, hasCursor, size: end - from }, statement, values, capture)
  return { kind: 'request', request: { kind: 'execute', bound } }
}
