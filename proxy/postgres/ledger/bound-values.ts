import { isUtf8 } from 'node:buffer'
import { hash } from 'node:crypto'

/** A bind value in a recording: text, null, or bytes of a type that is not decoded here. */
export type RecordedValue =
  | string
  | null
  | { readonly hex: string; readonly oid: number; readonly bytes: number; readonly sha256?: string }
  | { readonly text: string; readonly bytes: number; readonly sha256: string }

const longestText = 8192
/** In bytes; shown as twice as many digits. */
const longestHex = 64

/**
 * Values of one Bind or FunctionCall as they are recorded.
 * @param formats 0 text, 1 binary; none: all text; one: for all
 * @param oids as far as known; 0 or absent: unknown
 */
export function recordValues(
  values: readonly (Buffer | null)[],
  formats: readonly number[],
  oids: readonly number[],
): RecordedValue[] {
  return values.map((value, i) => {
    if (value === null) return null
    const format = formats.length === 1 ? formats[0] : formats[i]
    return format === 1 ? recordBinary(value, oids[i] ?? 0) : recordText(value, oids[i] ?? 0)
  })
}

function recordText(value: Buffer, oid: number): RecordedValue {
  if (!isUtf8(value)) return recordBytes(value, oid)
  if (value.length <= longestText) return value.toString('utf8')
  return { text: value.subarray(0, longestText).toString('utf8'), bytes: value.length, sha256: digest(value) }
}

/** Binary formats by type OID (pg_type.dat; send functions of the types). */
function recordBinary(value: Buffer, oid: number): RecordedValue {
  const read = readers[oid]
  if (read && (read.bytes === undefined || read.bytes === value.length)) return read.text(value, oid)
  return recordBytes(value, oid)
}

function recordBytes(value: Buffer, oid: number): RecordedValue {
  const hex = value.subarray(0, longestHex).toString('hex')
  const shared = { hex, oid, bytes: value.length }
  return value.length > longestHex ? { ...shared, sha256: digest(value) } : shared
}

interface Reader {
  readonly bytes?: number
  text(value: Buffer, oid: number): RecordedValue
}

const readers: Readonly<Record<number, Reader>> = {
  16: { bytes: 1, text: (value) => (value[0] === 0 ? 'false' : 'true') },
  20: { bytes: 8, text: (value) => String(value.readBigInt64BE()) },
  21: { bytes: 2, text: (value) => String(value.readInt16BE()) },
  23: { bytes: 4, text: (value) => String(value.readInt32BE()) },
  26: { bytes: 4, text: (value) => String(value.readUInt32BE()) },
  700: { bytes: 4, text: (value) => String(value.readFloatBE()) },
  701: { bytes: 8, text: (value) => String(value.readDoubleBE()) },
  1082: { bytes: 4, text: date },
  1114: { bytes: 8, text: timestamp },
  1184: { bytes: 8, text: timestamp },
  2950: { bytes: 16, text: (value) => value.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-') },
  3802: { text: (value, oid) => recordText(value.subarray(1), oid) }, // jsonb: a version byte, then text
  ...Object.fromEntries([18, 19, 25, 114, 142, 1042, 1043].map((oid) => [oid, { text: recordText }])),
}

const epoch2000 = Date.UTC(2000, 0, 1)

/** Days since 2000-01-01; infinity and years beyond JavaScript's are shown as numbers, as with {@link timestamp}. */
function date(value: Buffer): string {
  const days = value.readInt32BE()
  const at = new Date(epoch2000 + days * 86_400_000)
  return Number.isNaN(at.getTime()) ? String(days) : at.toISOString().slice(0, 10)
}

/** Microseconds since 2000-01-01. */
function timestamp(value: Buffer): string {
  const micros = value.readBigInt64BE()
  const at = new Date(epoch2000 + Number(micros / 1000n))
  return Number.isNaN(at.getTime()) ? String(micros) : at.toISOString()
}

function digest(value: Buffer): string {
  return hash('sha256', value)
}
