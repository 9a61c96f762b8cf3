import type { Captured, Truncated } from '../../recording/captured.ts'
import type { RecordedValue } from './bound-values.ts'
import type { ClientRequest } from './pending.ts'

/** A parsed statement: what is recorded of it. */
export interface Statement {
  readonly name: string
  readonly sql: Captured
  /** Types of its parameters: those the client named, then those the server described. */
  oids: readonly number[]
  /** Name and text as members of an entry, once one was written. */
  members?: string
}

/** A statement with its values. */
export interface Portal {
  /** Undefined: not known here, e.g. prepared in SQL. */
  readonly statement: Statement | undefined
  readonly statementName: string
  readonly values: readonly RecordedValue[]
  /** What of the values must not be shown in errors. */
  readonly secretTexts?: readonly string[]
  /** The Bind was too long to keep whole. */
  readonly cut: Truncated | undefined
  /** Size of the Bind. */
  readonly bytes: number
  /** Returned by Executes with a row limit. */
  rows: number
}

/** Limits on what is remembered for one session. */
export interface NameLimits {
  readonly names: number
  /** Of prepared SQL, in characters, and of values, in bytes; each. */
  readonly size: number
}

const mostRefused = 100
const defaultLimits: NameLimits = { names: 20_000, size: 8 * 1024 * 1024 }

/**
 * Names that the client gave to statements and portals, so that an Execute can be recorded with its text and values. Names
 * made in SQL (PREPARE, DECLARE) are not seen here; their text is recorded where it is sent.
 */
export class Names {
  readonly #limits: NameLimits
  readonly #statements = new Map<string, Statement>()
  readonly #portals = new Map<string, Portal>()
  /** Parsed since the last Sync in vain; what the server skips after that is about them. */
  readonly #refused = new Map<string, Statement>()
  #sqlSize = 0
  #valuesSize = 0

  constructor(limits = defaultLimits) {
    this.#limits = limits
  }

  /** @returns false when a limit is reached: record it by itself. The unnamed statement is always remembered. */
  parse(statement: Statement): boolean {
    const { name, sql } = statement
    this.closeStatement(name)
    const { length } = sql.text
    const isTooMuch = this.#statements.size >= this.#limits.names || this.#sqlSize + length > this.#limits.size
    if (name !== '' && isTooMuch) return false
    this.#sqlSize += length
    this.#statements.set(name, statement)
    return true
  }

  statement(name: string): Statement | undefined {
    return this.#refused.get(name) ?? this.#statements.get(name)
  }

  /** A Parse is recorded by itself: unless a limit is the reason, what the server skips from here on may name it. */
  refused({ name, sql, oids }: Statement, error: object | undefined, incomplete: string | undefined): void {
    if (error === undefined && incomplete !== 'skipped') return
    if (error !== undefined && name === '') this.closeStatement('')
    if (this.#refused.size < mostRefused) this.#refused.set(name, { name, sql, oids })
  }

  /** The server does not skip any more. */
  resume(): void {
    this.#refused.clear()
  }

  /** @returns as of {@link parse} */
  bind(name: string, portal: Portal): boolean {
    this.closePortal(name)
    const isTooMuch = this.#portals.size >= this.#limits.names || this.#valuesSize + portal.bytes > this.#limits.size
    if (name !== '' && isTooMuch) return false
    this.#valuesSize += portal.bytes
    this.#portals.set(name, portal)
    return true
  }

  portal(name: string): Portal | undefined {
    return this.#portals.get(name)
  }

  closeStatement(name: string): void {
    const old = this.#statements.get(name)
    if (!old) return
    this.#sqlSize -= old.sql.text.length
    this.#statements.delete(name)
  }

  closePortal(name: string): void {
    const old = this.#portals.get(name)
    if (!old) return
    this.#valuesSize -= old.bytes
    this.#portals.delete(name)
  }

  /** Follows statements that drop names, by their tag. `DEALLOCATE` of one doesn't say which; its text is recorded. */
  completed(tag: string): void {
    if (tag !== 'DEALLOCATE ALL' && tag !== 'DISCARD ALL') return
    this.#statements.clear()
    this.#sqlSize = 0
  }

  /** A transaction has ended, and with it its portals. */
  endTransaction(): void {
    if (this.#portals.size === 0) return
    this.#portals.clear()
    this.#valuesSize = 0
  }
}

/** A name as it is remembered: bytes read as Latin-1, since names only need to be distinct. */
export function nameOf(name: Buffer): string {
  return name.toString('latin1')
}

export function toPortal(request: Extract<ClientRequest, { kind: 'bind' }>, statement: Statement | undefined): Portal {
  const { statement: statementName, values, cut, bytes } = request
  const secretTexts = values.secretTexts(statement)
  return { statement, statementName, values: values.record(statement), secretTexts, cut, bytes, rows: 0 }
}
