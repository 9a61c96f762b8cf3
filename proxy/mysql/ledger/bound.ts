import { type LongValue, type RecordedValue, recordBytes, recordText } from '../../recording/recorded-value.ts'
import { textsOf } from '../../recording/redact.ts'
import type { TextCapture } from '../../recording/text-capture.ts'
import {
  type BinaryValue,
  decodeFirstValues,
  decodeTypes,
  decodeValues,
  type Execution,
} from '../../wire/mysql/values.ts'
import { keepTypes, type Prepared } from './prepared.ts'

const nothing = Buffer.alloc(0)
const noneSent: ReadonlyMap<number, LongValue> = new Map()

/** An execution: the statement, once it is known, and its values as they came. */
export class Bound {
  readonly id: number
  readonly hasCursor: boolean
  readonly #bytes: Buffer
  readonly #sent: ReadonlyMap<number, LongValue>
  readonly #capture: TextCapture
  readonly #isCut: boolean
  /** Values that were read at once. */
  #read: readonly RecordedValue[] | undefined
  #readBytes = 0
  #values: readonly BinaryValue[] | undefined
  #types: Buffer = nothing
  #isResolved = false
  statement: Prepared | undefined
  /** Size and digest of values that could not be read. */
  unread: { readonly bytes: number; readonly hmac: string } | undefined

  /**
   * @param parameters a copy; it is kept
   * @param sent ahead, by the parameter's index
   * @param isCut the end of the parameters is missing
   */
  constructor(
    { id, hasCursor, parameters }: Execution,
    sent: ReadonlyMap<number, LongValue>,
    capture: TextCapture,
    isCut = false,
  ) {
    this.#isCut = isCut
    this.id = id
    this.hasCursor = hasCursor
    this.#bytes = parameters
    this.#sent = sent
    this.#capture = capture
  }

  /** An execution whose values are read, and hold no secret. */
  static read(
    { id, hasCursor, size }: { readonly id: number; readonly hasCursor: boolean; readonly size: number },
    statement: Prepared,
    values: readonly RecordedValue[],
    capture: TextCapture,
  ): Bound {
    const bound = new Bound({ id, hasCursor, parameters: nothing }, noneSent, capture)
    bound.#isResolved = true
    bound.statement = statement
    bound.#read = values
    bound.#readBytes = size
    return bound
  }

  get size(): number {
    let size = (this.#bytes.length + this.#readBytes) * 2
    for (const { head } of this.#sent.values()) size += head.length
    return size
  }

  /** Reads the values as those of this statement; the types that come with them hold for later executions too. */
  resolve(statement: Prepared | undefined): void {
    if (this.#isResolved || !statement) return
    this.#isResolved = true
    this.statement = statement
    const { parameters: count } = statement
    try {
      const types = decodeTypes(this.#bytes, count)
      if (types) keepTypes(statement, types)
      this.#types = types ?? statement.types
      const decode = this.#isCut ? decodeFirstValues : decodeValues
      this.#values = decode(this.#bytes, count, this.#types, (i) => this.#sent.has(i))
    } catch {
      this.#cannotRead()
    }
  }

  /** The server will refuse them, most likely. */
  #cannotRead(): void {
    if (this.#bytes.length > 0) this.unread = { bytes: this.#bytes.length, hmac: this.#capture.digests.of(this.#bytes) }
  }

  record(): readonly RecordedValue[] | undefined {
    if (this.#read) return this.#read.length > 0 ? this.#read : undefined
    const secret = this.statement?.sql.secrets?.parameters
    const values = this.#values?.map((value, i) => this.#recordOne(value, i, secret?.has(i + 1) ?? false))
    return values && values.length > 0 ? values : undefined
  }

  #recordOne(value: BinaryValue, i: number, isSecret: boolean): RecordedValue {
    const long = this.#sent.get(i)
    if (value === null) return null
    if (value === undefined && !long) return null
    const bytes = long ? long.head : typeof value === 'string' ? Buffer.from(value) : (value ?? Buffer.alloc(0))
    if (isSecret) return { redacted: true, hmac: long?.hmac ?? this.#capture.digests.of(bytes) }
    if (typeof value === 'string') return value
    const cut = long && long.bytes > long.head.length ? long : undefined
    const type = this.#types[i * 2] ?? 0
    return recordText(bytes, this.#capture, cut) ?? recordBytes(bytes, { type }, this.#capture, cut)
  }

  /** What of the values must not be shown in errors. */
  secretTexts(): readonly string[] {
    const secret = this.statement?.sql.secrets?.parameters
    return (this.#values ?? []).flatMap((value, i) => {
      const bytes = this.#sent.get(i)?.head ?? (typeof value === 'string' ? Buffer.from(value) : value)
      if (!bytes) return []
      if (secret?.has(i + 1)) return textsOf(bytes.toString('utf8'))
      return typeof value === 'string' ? [] : [...(this.#capture.value(bytes)?.secrets ?? [])]
    })
  }
}
