/**
 * Entries of statements that have completed, with one result, at once. Written out because that costs a small part of what an object
 * for JSON.stringify does; each reads as that would have written it.
 */
import { type Captured, isWhole } from './captured.ts'
import type { RecordedValue } from './recorded-value.ts'

/** One line of JSON, or a part of it. */
export interface EntryText {
  readonly text: string
  /** It is printable ASCII. */
  readonly isPlain: boolean
}

/** How a usual statement ended. */
interface Completed {
  readonly rows: number
  readonly tags: readonly string[]
}

/** @param said the members that tell of the request, without the quote before the type */
export function usualEntry(at: number, said: EntryText, { rows, tags }: Completed, seconds: number): EntryText {
  const tag = tags[0] ?? ''
  const isPlainTag = plain.test(tag)
  const ended = `"ms":${inMs(seconds)},"rows":${rows},"tags":[${isPlainTag ? `"${tag}"` : JSON.stringify(tag)}]}`
  return { text: `{"at":${inDigits(at)},"type":"${said.text},${ended}`, isPlain: said.isPlain && isPlainTag }
}

/** @returns undefined: more has to be said of the text */
export function queryMembers(sql: Captured): EntryText | undefined {
  if (sql.isPlain) return { text: `query","sql":"${sql.text}"`, isPlain: true }
  return isAsSent(sql) ? { text: `query","sql":${JSON.stringify(sql.text)}`, isPlain: false } : undefined
}

/** @param statement of {@link statementMembers} */
export function executeMembers({ text, isPlain }: EntryText, values: readonly RecordedValue[]): EntryText {
  const [only] = values
  if (only === undefined) return { text: `execute",${text}`, isPlain }
  if (values.length === 1 && typeof only === 'string' && plain.test(only))
    return { text: `execute",${text},"values":["${only}"]`, isPlain }
  const written = JSON.stringify(values)
  return { text: `execute",${text},"values":${written}`, isPlain: isPlain && ascii.test(written) }
}

/** A statement that has a name, and what was written of it once. */
interface Prepared {
  readonly sql: Captured
  members?: EntryText
}

const longestKept = 4096

/** @param nameOf as it is recorded @returns its name and text; undefined: more has to be said of the text */
export function statementMembers<S extends Prepared>(
  statement: S,
  nameOf: (statement: S) => string | undefined,
): EntryText | undefined {
  const { sql, members } = statement
  if (!isAsSent(sql)) return undefined
  if (members) return members
  const name = nameOf(statement)
  const named = name === undefined ? '' : `"statement":${JSON.stringify(name)},`
  const text = `${named}"sql":${JSON.stringify(sql.text)}`
  const isShort = text.length <= longestKept
  const made = { text, isPlain: isShort && ascii.test(text) }
  if (isShort) statement.members = made
  return made
}

function isAsSent(sql: Captured): boolean {
  return isWhole(sql) && sql.hmac === undefined
}

/** Needs no escape in JSON. */
const plain = /^[ !#-[\]-~]*$/
const ascii = /^[ -~]*$/

let lastAt = 0
let lastDigits = '0'

/** Many statements begin in the same millisecond, and a number of that size is slow to write. */
function inDigits(at: number): string {
  if (at !== lastAt) {
    lastAt = at
    lastDigits = `${at}`
  }
  return lastDigits
}

/** `.001` to `.999`, without zeros at the end. */
const fractions: readonly string[] = Array.from({ length: 1000 }, (_, i) => `${i / 1000}`.slice(1))

/** Milliseconds, to the microsecond. */
function inMs(seconds: number): string {
  const micros = Math.round(seconds * 1e6)
  if (!(micros >= 0 && micros < 1e9)) return `${micros / 1e3}`
  return `${Math.trunc(micros / 1000)}${fractions[micros % 1000]}`
}
