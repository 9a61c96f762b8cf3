/**
 * Values of parameters in the binary protocol (MySQL documentation, "COM_STMT_EXECUTE", "Binary Protocol Resultset Row",
 * "Binary Value"). Left out: query attributes, which are never offered.
 */
import { WireError } from '../wire-error.ts'
import { PayloadReader } from './payload-reader.ts'

/** One value: text, bytes of a string or blob (views), null; undefined: it was sent ahead of the command. */
export type BinaryValue = string | Buffer | null | undefined

export interface Execution {
  readonly id: number
  /** Rows are fetched later. */
  readonly hasCursor: boolean
  /** Types, then values. */
  readonly parameters: Buffer
}

/** COM_STMT_EXECUTE: 0x17, int<4> id, int<1> flags, int<4> 1, then what depends on the number of parameters. */
export function decodeExecution(payload: Buffer): Execution {
  const reader = new PayloadReader(payload, 1)
  const id = reader.uint32()
  const flags = reader.byte()
  reader.uint32()
  return { id, hasCursor: (flags & 0x07) !== 0, parameters: reader.rest() }
}

/** NULL bitmap, int<1> whether types follow, types of two bytes each, values. @returns undefined: none are sent, as before */
export function decodeTypes(parameters: Buffer, count: number): Buffer | undefined {
  if (count === 0) return undefined
  const reader = new PayloadReader(parameters)
  reader.bytes(bitmapBytes(count))
  return reader.byte() === 1 ? reader.bytes(count * 2) : undefined
}

const bitmapBytes = (count: number): number => (count + 7) >>> 3

/**
 * @param types of the parameters, two bytes each
 * @param isSent whether a value was sent ahead
 * @throws WireError when values are missing
 */
export function decodeValues(
  parameters: Buffer,
  count: number,
  types: Buffer,
  isSent: (index: number) => boolean,
): BinaryValue[] {
  const values: BinaryValue[] = []
  readValues(values, parameters, count, types, isSent)
  return values
}

/** Of parameters whose end is missing: the values that are whole. */
export function decodeFirstValues(
  ...[parameters, count, types, isSent]: Parameters<typeof decodeValues>
): BinaryValue[] {
  const values: BinaryValue[] = []
  try {
    readValues(values, parameters, count, types, isSent)
  } catch (error) {
    if (!(error instanceof WireError)) throw error
  }
  return values
}

function readValues(
  values: BinaryValue[],
  ...[parameters, count, types, isSent]: Parameters<typeof decodeValues>
): void {
  if (count === 0) return
  const reader = new PayloadReader(parameters)
  const nulls = reader.bytes(bitmapBytes(count))
  if (reader.byte() === 1) reader.bytes(count * 2)
  if (types.length < count * 2) throw new WireError('the types of parameters are missing')
  for (let i = 0; i < count; i += 1) {
    const isNull = (((nulls[i >>> 3] as number) >>> (i & 7)) & 1) === 1
    if (isSent(i)) values.push(undefined)
    else if (isNull) values.push(null)
    else values.push(decodeValue(reader, types[i * 2] as number, ((types[i * 2 + 1] as number) & 0x80) !== 0))
  }
}

function decodeValue(reader: PayloadReader, type: number, isUnsigned: boolean): BinaryValue {
  switch (type) {
    case 1:
      return String(isUnsigned ? reader.byte() : reader.bytes(1).readInt8())
    case 2:
    case 13: // year
      return String(isUnsigned ? reader.uint16() : reader.bytes(2).readInt16LE())
    case 3:
    case 9: // int24
      return String(isUnsigned ? reader.uint32() : reader.bytes(4).readInt32LE())
    case 8: {
      const bytes = reader.bytes(8)
      return String(isUnsigned ? bytes.readBigUInt64LE() : bytes.readBigInt64LE())
    }
    case 4:
      return String(reader.bytes(4).readFloatLE())
    case 5:
      return String(reader.bytes(8).readDoubleLE())
    case 6:
      return null
    case 7:
    case 10:
    case 12:
      return instant(reader.bytes(reader.byte()))
    case 11:
      return time(reader.bytes(reader.byte()))
    default:
      return reader.string()
  }
}

const two = (value: number): string => String(value).padStart(2, '0')
const fraction = (micros: number): string => (micros === 0 ? '' : `.${String(micros).padStart(6, '0')}`)

/** Of 0, 4, 7 or 11 bytes: int<2> year, month, day, hour, minute, second, int<4> microseconds. */
function instant(bytes: Buffer): string {
  if (bytes.length === 0) return '0000-00-00'
  if (bytes.length !== 4 && bytes.length !== 7 && bytes.length !== 11) throw new WireError('invalid length of a date')
  const [month, day, hour, minute, second] = bytes.subarray(2, 7)
  const date = `${String(bytes.readUInt16LE(0)).padStart(4, '0')}-${two(month ?? 0)}-${two(day ?? 0)}`
  if (bytes.length === 4) return date
  const micros = bytes.length === 11 ? bytes.readUInt32LE(7) : 0
  return `${date} ${two(hour ?? 0)}:${two(minute ?? 0)}:${two(second ?? 0)}${fraction(micros)}`
}

/** Of 0, 8 or 12 bytes: int<1> negative, int<4> days, hour, minute, second, int<4> microseconds. */
function time(bytes: Buffer): string {
  if (bytes.length === 0) return '00:00:00'
  if (bytes.length !== 8 && bytes.length !== 12) throw new WireError('invalid length of a time')
  const [hour, minute, second] = bytes.subarray(5, 8)
  const hours = bytes.readUInt32LE(1) * 24 + (hour ?? 0)
  const micros = bytes.length === 12 ? bytes.readUInt32LE(8) : 0
  return `${bytes[0] === 1 ? '-' : ''}${two(hours)}:${two(minute ?? 0)}:${two(second ?? 0)}${fraction(micros)}`
}
