import { type Captured, isWhole } from '../../recording/captured.ts'
import { makesPreparing, mayPrepare, type Operation, readOperations } from '../sql/prepared.ts'

/** What a completed statement did to the names of prepared statements and portals. */
export type Change =
  | { readonly kind: 'prepared'; readonly name: string; readonly sql: Captured }
  | { readonly kind: 'dropped'; readonly name: string }
  | { readonly kind: 'all-dropped' }
  /** Any name may stand for something else now; `always`: from now on. */
  | { readonly kind: 'in-doubt'; readonly always: boolean }
  | { readonly kind: 'portals-in-doubt' }

const changing: ReadonlySet<string> = new Set([
  ...['DEALLOCATE', 'DEALLOCATE ALL', 'DISCARD ALL', 'PREPARE', 'DECLARE CURSOR'],
  ...['DO', 'CALL', 'CREATE FUNCTION', 'CREATE PROCEDURE'],
])

export const isChanging = (tag: string): boolean => changing.has(tag)

const inDoubt: Change = { kind: 'in-doubt', always: false }

/**
 * Follows PREPARE, DEALLOCATE and DISCARD in SQL. The server's tag says that one has run, the text says of which name; where the
 * two disagree, or code ran that may have done so out of sight, every name is in doubt. What a function that is in the database
 * already does cannot be seen here.
 * @param sql undefined: not known
 * @param index of the statement in it
 */
export function changesOf(tag: string, sql: Captured | undefined, index: number): readonly Change[] {
  switch (tag) {
    case 'DEALLOCATE ALL':
    case 'DISCARD ALL':
      return [{ kind: 'all-dropped' }]
    case 'PREPARE':
    case 'DEALLOCATE':
      return [changeOf(tag, sql, index)]
    case 'DECLARE CURSOR':
    case 'CALL':
      return [{ kind: 'portals-in-doubt' }]
    case 'DO':
      return isHarmless(sql, index, mayPrepare) ? [{ kind: 'portals-in-doubt' }] : [inDoubt]
    case 'CREATE FUNCTION':
    case 'CREATE PROCEDURE':
      return isHarmless(sql, index, makesPreparing) ? [] : [{ kind: 'in-doubt', always: true }]
    default:
      return []
  }
}

/** A statement that fails may have changed names before: they are not part of the transaction. */
export function failureChanges(sql: Captured | undefined, index: number): readonly Change[] {
  const operation = operationAt(sql, index)
  const isSure = operation !== undefined && operation.kind !== 'other'
  return isSure || isHarmless(sql, index, mayPrepare) ? [] : [inDoubt]
}

function isHarmless(sql: Captured | undefined, index: number, isHarmful: Judge): boolean {
  if (!isWhole(sql)) return false
  const operation = operationAt(sql, index)
  return operation?.kind === 'other' ? !isHarmful(operation.sql) : !ofWhole(sql, isHarmful)
}

type Judge = (text: string) => boolean

/** What was found out about a text: each of its statements asks, and a statement asks each time that it is executed. */
interface Reading {
  readonly operations: readonly Operation[] | undefined
  readonly verdicts: Map<Judge, boolean>
}

const readings = new WeakMap<Captured, Reading>()

function readingOf(sql: Captured): Reading {
  let reading = readings.get(sql)
  if (!reading) {
    reading = { operations: readOperations(sql.text), verdicts: new Map() }
    readings.set(sql, reading)
  }
  return reading
}

function ofWhole(sql: Captured, isHarmful: Judge): boolean {
  const { verdicts } = readingOf(sql)
  const verdict = verdicts.get(isHarmful) ?? isHarmful(sql.text)
  verdicts.set(isHarmful, verdict)
  return verdict
}

function changeOf(tag: string, sql: Captured | undefined, index: number): Change {
  const operation = operationAt(sql, index)
  if (operation?.kind === 'prepare' && tag === 'PREPARE' && operation.name !== undefined) {
    const secrets = sql?.secrets ? { secrets: sql.secrets } : {}
    return { kind: 'prepared', name: operation.name, sql: { text: operation.sql, ...secrets } }
  }
  if (operation?.kind === 'deallocate' && tag === 'DEALLOCATE' && operation.name !== undefined)
    return { kind: 'dropped', name: operation.name }
  return inDoubt
}

function operationAt(sql: Captured | undefined, index: number): Operation | undefined {
  return isWhole(sql) ? readingOf(sql).operations?.[index] : undefined
}
