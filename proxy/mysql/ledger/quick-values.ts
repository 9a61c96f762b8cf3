import type { TextCapture } from '../../recording/text-capture.ts'
import { keepTypes, type Prepared } from './prepared.ts'

const [tiny, short, long, longlong, int24, varchar, varString, string] = [1, 2, 3, 8, 9, 15, 253, 254] as const
const unsigned = 0x80
/** Of a text; its length takes one byte. */
const longestText = 250

/**
 * Reads, in place and without a copy, the parameters that a driver sends again and again: integers, short ASCII texts and NULL.
 * Layout: NULL bitmap, int<1> whether types follow, types of two bytes each, values.
 * @param capture to look for secrets within a text
 * @returns as they are recorded; undefined for any other, or of a statement with secrets: `Bound` reads them
 */
export function readQuickly(
  bytes: Buffer,
  start: number,
  end: number,
  statement: Prepared,
  capture: TextCapture,
): readonly (string | null)[] | undefined {
  const { parameters: count, sql } = statement
  if (sql.secrets) return undefined
  if (count === 0) return none
  const bitmap = start
  let at = start + ((count + 7) >>> 3) + 1
  if (at > end) return undefined
  if (bytes[at - 1] === 1) {
    if (!readTypes(bytes, at, end, statement)) return undefined
    at += count * 2
  }
  const { types } = statement
  if (types.length !== count * 2) return undefined
  const values: (string | null)[] = []
  for (let i = 0; i < count; i += 1) {
    if ((((bytes[bitmap + (i >>> 3)] as number) >>> (i & 7)) & 1) === 1) {
      values.push(null)
      continue
    }
    const type = types[i * 2] as number
    const size = sizeOf(type, bytes, at, end)
    if (size < 0 || at + size > end) return undefined
    const value =
      type >= varchar
        ? asText(bytes, at + 1, at + size, capture)
        : asInteger(bytes, at, size, ((types[i * 2 + 1] as number) & unsigned) !== 0)
    if (value === undefined) return undefined
    values.push(value)
    at += size
  }
  return values
}

const none: readonly never[] = []

/** Most drivers send the same types each time. @returns false: they are not all here */
function readTypes(bytes: Buffer, at: number, end: number, statement: Prepared): boolean {
  const to = at + statement.parameters * 2
  if (to > end) return false
  const { types } = statement
  let isSame = types.length === to - at
  for (let i = 0; isSame && i < types.length; i += 1) isSame = types[i] === bytes[at + i]
  if (!isSame) keepTypes(statement, bytes.subarray(at, to))
  return true
}

/** @returns bytes of the value; −1: it is not read here */
function sizeOf(type: number, bytes: Buffer, at: number, end: number): number {
  switch (type) {
    case tiny:
      return 1
    case short:
      return 2
    case long:
    case int24:
      return 4
    case longlong:
      return 8
    case varchar:
    case varString:
    case string: {
      const length = at < end ? (bytes[at] as number) : longestText + 1
      return length <= longestText ? 1 + length : -1
    }
    default:
      return -1
  }
}

function asInteger(bytes: Buffer, at: number, size: number, isUnsigned: boolean): string | undefined {
  if (size === 1) return `${isUnsigned ? bytes[at] : ((bytes[at] as number) << 24) >> 24}`
  if (size === 2) {
    const value = (bytes[at] as number) | ((bytes[at + 1] as number) << 8)
    return `${isUnsigned ? value : (value << 16) >> 16}`
  }
  const low = int32(bytes, at)
  if (size === 4) return `${isUnsigned ? low >>> 0 : low}`
  const high = int32(bytes, at + 4)
  if (high === 0) return `${low >>> 0}`
  return high === -1 && low < 0 && !isUnsigned ? `${low}` : undefined
}

function int32(bytes: Buffer, at: number): number {
  return (
    (bytes[at] as number) |
    ((bytes[at + 1] as number) << 8) |
    ((bytes[at + 2] as number) << 16) |
    ((bytes[at + 3] as number) << 24)
  )
}

function asText(bytes: Buffer, start: number, end: number, capture: TextCapture): string | undefined {
  for (let at = start; at < end; at += 1) if ((bytes[at] as number) > 127) return undefined
  const text = bytes.toString('latin1', start, end)
  return capture.shortValue(text) === undefined ? text : undefined
}
