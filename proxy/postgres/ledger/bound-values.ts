import type { KnownSecrets } from '../../recording/captured.ts'
import { type LongValue, type RecordedValue, recordBytes, recordText } from '../../recording/recorded-value.ts'
import { textsOf } from '../../recording/redact.ts'
import type { TextCapture } from '../../recording/text-capture.ts'

/** A string is a short text. */
export type GivenValue = string | Buffer | LongValue | null

/** What is known of the parameters that values are for. */
export interface Parameters {
  /** As far as known; 0 or absent: unknown. */
  readonly oids: readonly number[]
  readonly sql?: { readonly secrets?: KnownSecrets }
}

/** Values of one Bind or FunctionCall, and how they are recorded. */
export class BoundValues {
  readonly #formats: readonly number[]
  readonly #values: readonly GivenValue[]
  readonly #capture: TextCapture
  readonly #isPlain: boolean

  /**
   * @param formats 0 text, 1 binary; none: all text; one: for all
   * @param isPlain all are strings or null, and none has a letter or a colon
   */
  constructor(formats: readonly number[], values: readonly GivenValue[], capture: TextCapture, isPlain = false) {
    this.#formats = formats
    this.#values = values
    this.#capture = capture
    this.#isPlain = isPlain
  }

  record(parameters?: Parameters): readonly RecordedValue[] {
    const secret = parameters?.sql?.secrets?.parameters
    if (this.#isPlain && secret === undefined) return this.#values as (string | null)[]
    return this.#values.map((value, i) => {
      if (value === null) return null
      if (typeof value === 'string' && !secret?.has(i + 1)) return this.#short(value)
      const [bytes, long] = parts(value)
      if (secret?.has(i + 1)) return { redacted: true, hmac: long?.hmac ?? this.#capture.digests.of(bytes) }
      const isBinary = (this.#formats.length === 1 ? this.#formats[0] : this.#formats[i]) === 1
      const oid = parameters?.oids[i] ?? 0
      return isBinary ? this.#binary(bytes, oid, long) : this.#text(bytes, oid, long)
    })
  }

  /** What of it must not be shown in errors. */
  secretTexts(parameters?: Parameters): readonly string[] {
    const secret = parameters?.sql?.secrets?.parameters
    if (secret === undefined && (this.#isPlain || this.#values.length === 0)) return []
    return this.#values.flatMap((value, i) => {
      if (value === null) return []
      if (typeof value === 'string' && !secret?.has(i + 1)) return [...(this.#capture.shortValue(value)?.secrets ?? [])]
      const [bytes] = parts(value)
      if (secret?.has(i + 1)) return textsOf(bytes.toString('utf8'))
      return [...(this.#capture.value(bytes)?.secrets ?? [])]
    })
  }

  #short(value: string): RecordedValue {
    const captured = this.#capture.shortValue(value)
    if (!captured) return value
    return { redacted: true, text: captured.text, hmac: this.#capture.digests.of(Buffer.from(value)) }
  }

  #text(value: Buffer, oid: number, long: LongValue | undefined): RecordedValue {
    return recordText(value, this.#capture, long) ?? this.#bytes(value, oid, long)
  }

  /** Binary formats by type OID (pg_type.dat; send functions of the types). */
  #binary(value: Buffer, oid: number, long: LongValue | undefined): RecordedValue {
    const read = readers[oid]
    if (texts.has(oid)) return this.#text(value, oid, long)
    if (oid === jsonb) return this.#text(value.subarray(1), oid, long) // a version byte, then text
    if (!long && read && (read.bytes === undefined || read.bytes === value.length)) return read.text(value)
    return this.#bytes(value, oid, long)
  }

  #bytes(value: Buffer, oid: number, long: LongValue | undefined): RecordedValue {
    return recordBytes(value, { oid }, this.#capture, long)
  }
}

function parts(value: string | Buffer | LongValue): [Buffer, LongValue | undefined] {
  if (typeof value === 'string') return [Buffer.from(value), undefined]
  return 'head' in value ? [value.head, value] : [value, undefined]
}

interface Reader {
  readonly bytes?: number
  text(value: Buffer): string
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
}

const texts = new Set([18, 19, 25, 114, 142, 1042, 1043])
const jsonb = 3802

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
