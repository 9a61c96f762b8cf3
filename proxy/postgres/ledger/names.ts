import { type Captured, sizeOf, type Truncated } from '../../recording/captured.ts'
import type { RecordedValue } from '../../recording/recorded-value.ts'
import type { ClientRequest, Pending } from './pending.ts'
import { type Change, changesOf, failureChanges, isChanging } from './prepared-names.ts'

/** A parsed statement: what is recorded of it. */
export interface Statement {
  readonly name: string
  readonly sql: Captured
  /** Types of its parameters: those the client named, then those the server described. */
  oids: readonly number[]
  /** Name and text as members of an entry, once one was written. */
  members?: { readonly text: string; readonly isPlain: boolean }
  /** When it was parsed, in the order of Parses and Binds; of named ones. */
  number?: number
}

/** A statement with its values. */
export interface Portal {
  /** Undefined: not known here. */
  statement: Statement | undefined
  readonly statementName: string
  values: readonly RecordedValue[]
  /** What of the values must not be shown in errors. */
  readonly secretTexts?: readonly string[]
  /** The Bind was too long to keep whole. */
  readonly cut: Truncated | undefined
  /** Size of the Bind. */
  readonly bytes: number
  /** Returned by Executes with a row limit. */
  rows: number
  /** As of a statement: when it was bound. */
  number?: number
}

/** Limits on what is remembered for one session. */
export interface NameLimits {
  readonly names: number
  /** Of prepared SQL, in characters, and of values, in bytes; each. */
  readonly size: number
}

const mostRefused = 100
const none: ReadonlySet<number> = new Set()
const defaultLimits: NameLimits = { names: 20_000, size: 8 * 1024 * 1024 }

/**
 * Names of prepared statements and portals, so that an Execute can be recorded with its text and values. Those that SQL makes
 * and drops (PREPARE, DEALLOCATE, DECLARE) are followed as far as its text is known; where a name may stand for something else
 * the text is unknown, never the wrong one.
 */
export class Names {
  readonly #limits: NameLimits
  /** Named ones; the unnamed are beside them, since most drivers use no other. */
  readonly #statements = new Map<string, Statement>()
  readonly #portals = new Map<string, Portal>()
  #unnamedStatement: Statement | undefined
  #unnamedPortal: Portal | undefined
  /** Parsed since the last Sync in vain; what the server skips after that is about them. */
  readonly #refused = new Map<string, Statement>()
  #sqlSize = 0
  #valuesSize = 0
  /** What was parsed or bound before this count is in doubt; counts Parses and Binds. */
  #count = 0
  #sureFrom = 0
  #portalsSureFrom = 0
  #isAlwaysInDoubt = false

  constructor(limits = defaultLimits) {
    this.#limits = limits
  }

  /** @returns false when a limit is reached: record it by itself. The unnamed statement is always remembered. */
  parse(statement: Statement): boolean {
    const { name, sql } = statement
    this.closeStatement(name)
    const size = sizeOf(sql)
    if (name === '') this.#unnamedStatement = statement
    else {
      const count = this.#statements.size + (this.#unnamedStatement ? 1 : 0)
      if (count >= this.#limits.names || this.#sqlSize + size > this.#limits.size) return false
      this.#statements.set(name, statement)
      statement.number = this.#next()
    }
    this.#sqlSize += size
    return true
  }

  statement(name: string): Statement | undefined {
    const refused = this.#refused.size === 0 ? undefined : this.#refused.get(name)
    if (name === '') return refused ?? this.#unnamedStatement // SQL has no way to it
    const statement = refused ?? this.#statements.get(name)
    if (!statement) return undefined
    const isSure = !this.#isAlwaysInDoubt && (statement.number ?? this.#count) >= this.#sureFrom
    return isSure ? statement : unknown(statement)
  }

  /** Of its parameters, those whose values are secrets; undefined: what the name stands for is not known. */
  secretParameters(name: string): ReadonlySet<number> | undefined {
    const statement = name === '' || this.#refused.size > 0 ? undefined : this.statement(name)
    if (!statement || statement.sql.isUnknown) return undefined
    return statement.sql.secrets?.parameters ?? none
  }

  /** A Parse is recorded by itself: unless a limit is the reason, what the server skips from here on may name it. */
  refused({ name, sql, oids }: Statement, error: object | undefined, incomplete: string | undefined): void {
    if (error === undefined && incomplete !== 'skipped') return
    if (error !== undefined && name === '') this.closeStatement('')
    if (this.#refused.size < mostRefused) this.#refused.set(name, { name, sql, oids })
  }

  /** The server does not skip any more. */
  resume(): void {
    if (this.#refused.size > 0) this.#refused.clear() // an empty Map takes as long
  }

  /** @returns as of {@link parse} */
  bind(name: string, portal: Portal): boolean {
    this.closePortal(name)
    if (name === '') this.#unnamedPortal = portal
    else {
      const count = this.#portals.size + (this.#unnamedPortal ? 1 : 0)
      if (count >= this.#limits.names || this.#valuesSize + portal.bytes > this.#limits.size) return false
      this.#portals.set(name, portal)
      portal.number = this.#next()
    }
    this.#valuesSize += portal.bytes
    return true
  }

  portal(name: string): Portal | undefined {
    if (name === '') return this.#unnamedPortal
    const portal = this.#portals.get(name)
    if (!portal || (portal.number ?? 0) >= this.#portalsSureFrom) return portal
    portal.statement = portal.statement && unknown(portal.statement)
    portal.values = []
    return portal
  }

  closeStatement(name: string): void {
    const old = name === '' ? this.#unnamedStatement : this.#statements.get(name)
    if (!old) return
    this.#sqlSize -= sizeOf(old.sql)
    if (name === '') this.#unnamedStatement = undefined
    else this.#statements.delete(name)
  }

  closePortal(name: string): void {
    const old = name === '' ? this.#unnamedPortal : this.#portals.get(name)
    if (!old) return
    this.#valuesSize -= old.bytes
    if (name === '') this.#unnamedPortal = undefined
    else this.#portals.delete(name)
  }

  /** What it did to names that a statement of this request has completed, or (without a tag) failed. */
  changesBy(pending: Pending | undefined, tag?: string): readonly Change[] {
    const request = pending?.request
    const isStatement = request?.kind === 'query' || request?.kind === 'execute'
    if (tag === undefined ? !isStatement : !isChanging(tag)) return []
    const sql = request?.kind === 'query' ? request.sql : this.#executed(request)
    const index = request?.kind === 'query' ? (pending?.completed ?? 0) : 0
    return tag === undefined ? failureChanges(sql, index) : changesOf(tag, sql, index)
  }

  change(changes: readonly Change[]): void {
    for (const change of changes) this.#change(change)
  }

  /** A Query drops the unnamed statement and portal. */
  queried(): void {
    this.closeStatement('')
    this.closePortal('')
  }

  #executed(request: ClientRequest | undefined): Captured | undefined {
    return request?.kind === 'execute' ? this.portal(request.portal)?.statement?.sql : undefined
  }

  #change(change: Change): void {
    switch (change.kind) {
      case 'prepared':
        this.parse({ name: change.name, sql: change.sql, oids: [] })
        return
      case 'dropped':
        this.closeStatement(change.name)
        return
      case 'all-dropped':
        this.#statements.clear()
        this.#sqlSize = 0
        this.#unnamedStatement = undefined
        return
      case 'portals-in-doubt':
        this.#portalsSureFrom = this.#next()
        return
      case 'in-doubt':
        this.#sureFrom = this.#next()
        this.#portalsSureFrom = this.#sureFrom
        if (change.always) this.#isAlwaysInDoubt = true
    }
  }

  #next(): number {
    this.#count += 1
    return this.#count
  }

  /** A transaction has ended, and with it its portals. */
  endTransaction(): void {
    this.#unnamedPortal = undefined
    this.#valuesSize = 0
    if (this.#portals.size > 0) this.#portals.clear()
  }
}

/** The types of its parameters are not known then either; which of their values are secrets still counts. */
function unknown({ name, sql: { secrets } }: Statement): Statement {
  return { name, sql: { text: '', isUnknown: true, ...(secrets ? { secrets } : {}) }, oids: [] }
}

/** PostgreSQL keeps as many bytes of a name of the protocol (NAMEDATALEN − 1): what is longer may be the same name. */
const longestName = 63

/** A name as it is remembered: bytes read as Latin-1, since names only need to be distinct. */
export function nameOf(name: Buffer): string {
  return name.toString('latin1', 0, longestName)
}

export function toPortal(request: Extract<ClientRequest, { kind: 'bind' }>, statement: Statement | undefined): Portal {
  const { statement: statementName, values, cut, bytes } = request
  const secretTexts = values.secretTexts(statement)
  return { statement, statementName, values: values.record(statement), secretTexts, cut, bytes, rows: 0 }
}
