import type { Hmac } from 'node:crypto'
import { type Captured, sizeOf } from '../../recording/captured.ts'
import type { Digests } from '../../recording/digests.ts'
import { type LongValue, longestValue } from '../../recording/recorded-value.ts'
import type { EntryText } from '../../recording/usual-entry.ts'
import { BrokerError } from '../../session.ts'

/** A prepared statement: what is recorded of it. */
export interface Prepared {
  readonly id: number
  sql: Captured
  readonly parameters: number
  /** Types of its parameters, two bytes each, as the client sent them last. */
  types: Buffer
  /** An entry has its text. */
  isShown: boolean
  readonly at: number
  /** Fetched so far of the cursor that is open. */
  fetched: number
  /** Number and text as members of an entry, once one was written. */
  members?: EntryText
}

const mostStatements = 20_000
/** Of their texts together, in characters. */
const mostText = 8 * 1024 * 1024
/** Of the types of a statement whose text is not remembered, in bytes: as many of those may be open as of others. */
const mostTypes = 512
/** MariaDB: the statement that was prepared last. */
export const lastPrepared = 0xffff_ffff

/** The prepared statements of a session by the server's id, so that an execution is recorded with its text. */
export class PreparedStatements {
  readonly #statements = new Map<number, Prepared>()
  #size = 0
  #last: Prepared | undefined

  /** @returns false when its text can't be remembered: record it by itself */
  add(statement: Prepared): boolean {
    this.remove(statement.id)
    const size = sizeOf(statement.sql)
    const isKept = this.#statements.size < mostStatements && this.#size + size <= mostText
    if (!isKept) statement.sql = unknownText(statement.sql)
    else this.#size += size
    if (this.#statements.size < mostStatements) this.#statements.set(statement.id, statement)
    this.#last = statement
    return isKept
  }

  /** A statement was refused: what is executed as the last one has its text. */
  refused(statement: Prepared): void {
    this.#last = statement
  }

  get(id: number): Prepared | undefined {
    return id === lastPrepared ? this.#last : this.#statements.get(id)
  }

  remove(id: number): Prepared | undefined {
    const statement = this.#statements.get(id)
    if (!statement) return undefined
    this.#statements.delete(id)
    this.#size -= sizeOf(statement.sql)
    return statement
  }

  /** Removes and returns all. */
  takeAll(): Prepared[] {
    const all = [...this.#statements.values()]
    this.#statements.clear()
    this.#size = 0
    this.#last = undefined
    return all
  }
}

/** Which of its values are secrets still counts. */
function unknownText({ secrets }: Captured): Captured {
  return { text: '', isUnknown: true, ...(secrets ? { secrets } : {}) }
}

interface Sending {
  readonly hmac: Hmac
  head: Buffer
  bytes: number
}

const mostSending = 1000
/** Of the beginnings of all values that wait for their execution. */
const mostHeads = 64 * 1024

/** Values that clients send ahead of an execution, in any number of pieces (COM_STMT_SEND_LONG_DATA). */
export class LongData {
  readonly #digests: Digests
  readonly #sending = new Map<number, Map<number, Sending>>()
  #count = 0
  #heads = 0

  constructor(digests: Digests) {
    this.#digests = digests
  }

  /** @throws BrokerError LIMIT_REACHED for too many values */
  begin(statement: number, parameter: number): Sending {
    const values = this.#sending.get(statement) ?? new Map<number, Sending>()
    this.#sending.set(statement, values)
    const begun = values.get(parameter)
    if (begun) return begun
    if (this.#count >= mostSending) throw new BrokerError('LIMIT_REACHED', `at most ${mostSending} values sent ahead`)
    this.#count += 1
    const sending = { hmac: this.#digests.begin(), head: Buffer.alloc(0), bytes: 0 }
    values.set(parameter, sending)
    return sending
  }

  add(sending: Sending, bytes: Buffer, start: number, end: number): void {
    sending.hmac.update(bytes.subarray(start, end))
    sending.bytes += end - start
    const take = Math.min(end - start, longestValue - sending.head.length, mostHeads - this.#heads)
    if (take <= 0) return
    sending.head = Buffer.concat([sending.head, bytes.subarray(start, start + take)])
    this.#heads += take
  }

  has(statement: number): boolean {
    return this.#sending.has(statement)
  }

  /** An execution takes them; a reset or a close drops them. */
  take(statement: number): ReadonlyMap<number, LongValue> {
    const values = this.#sending.get(statement)
    if (!values) return new Map()
    this.#sending.delete(statement)
    this.#count -= values.size
    for (const { head } of values.values()) this.#heads -= head.length
    return new Map([...values].map(([i, { head, bytes, hmac }]) => [i, { head, bytes, hmac: hmac.digest('hex') }]))
  }

  clear(): void {
    this.#sending.clear()
    this.#count = 0
    this.#heads = 0
  }
}

/** Remembers the types for later executions: by a copy of their size, since a view would hold all values of this one. */
export function keepTypes(statement: Prepared, types: Buffer): void {
  if (statement.sql.isUnknown && types.length > mostTypes) return
  const kept = Buffer.allocUnsafeSlow(types.length)
  types.copy(kept)
  statement.types = kept
}

export function toStatement(id: number, sql: Prepared['sql'], at: number, parameters: number): Prepared {
  return { id, sql, parameters, at, types: Buffer.alloc(0), isShown: false, fetched: 0 }
}
