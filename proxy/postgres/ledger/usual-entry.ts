import type { Captured } from '../../recording/captured.ts'
import type { RecordedValue } from '../../recording/recorded-value.ts'
import type { Names, Statement } from './names.ts'
import type { ClientRequest, Pending } from './pending.ts'
import { isWhole } from './prepared-names.ts'

/** One line of JSON. */
export interface EntryText {
  readonly text: string
  /** It is printable ASCII. */
  readonly isPlain: boolean
}

/**
 * The entry of a statement that has completed, with one result, at once. Written out because that costs a small part of what an object for JSON.stringify does.
 * @returns undefined: the entry says more than usual
 */
export function toUsualEntry(pending: Pending, names: Names, seconds: number): EntryText | undefined {
  const { at, rows, tags, request } = pending
  if (!isUsual(pending)) return undefined
  const said = request.kind === 'query' ? queryMembers(request.sql) : executeMembers(request, names)
  if (!said) return undefined
  const tag = tags[0] ?? ''
  const isPlainTag = plain.test(tag)
  const ended = `"ms":${inMs(seconds)},"rows":${rows},"tags":[${isPlainTag ? `"${tag}"` : JSON.stringify(tag)}]}`
  return { text: `{"at":${inDigits(at)},"type":"${said.text},${ended}`, isPlain: said.isPlain && isPlainTag }
}

function isUsual({ number, error, copyIn, copyOut, tags }: Pending): boolean {
  return number === 0 && error === undefined && copyIn === undefined && copyOut === undefined && tags.length === 1
}

/** What the usual entry says of its request, without the quote before its type. */
interface Members {
  readonly text: string
  readonly isPlain: boolean
}

function queryMembers(sql: Captured): Members | undefined {
  if (sql.isPlain) return { text: `query","sql":"${sql.text}"`, isPlain: true }
  return isAsSent(sql) ? { text: `query","sql":${JSON.stringify(sql.text)}`, isPlain: false } : undefined
}

function executeMembers(request: ClientRequest, names: Names): Members | undefined {
  if (request.kind !== 'execute' || request.portal !== '') return undefined
  const portal = names.portal('')
  const statement = portal?.statement
  if (!portal || portal.cut || !statement || !isAsSent(statement.sql)) return undefined
  const { text, isPlain } = statement.members ?? membersOf(statement)
  if (portal.values.length === 0) return { text: `execute",${text}`, isPlain }
  const values = inJson(portal.values)
  return { text: `execute",${text},"values":${values}`, isPlain: isPlain && ascii.test(values) }
}

const longestKept = 4096

function membersOf(statement: Statement): Members {
  const { name, sql } = statement
  const named = name === '' ? '' : `"statement":${JSON.stringify(shownName(name))},`
  const text = `${named}"sql":${JSON.stringify(sql.text)}`
  const isShort = text.length <= longestKept
  const members = { text, isPlain: isShort && ascii.test(text) }
  if (isShort) statement.members = members
  return members
}

function isAsSent(sql: Captured): boolean {
  return isWhole(sql) && sql.hmac === undefined
}

function inJson(values: readonly RecordedValue[]): string {
  const [only] = values
  return values.length === 1 && typeof only === 'string' && plain.test(only) ? `["${only}"]` : JSON.stringify(values)
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

const longestName = 256

/** A name as it is recorded. */
export function shownName(name: string): string | undefined {
  if (name === '') return undefined
  return Buffer.from(name, 'latin1').toString('utf8').slice(0, longestName)
}
