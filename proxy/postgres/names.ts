import type { RecordedValue } from './bound-values.ts'
import type { Captured } from './captured.ts'

/** A parsed statement, as far as it is recorded. */
export interface Statement {
  readonly sql: Captured
  /** Types of its parameters: what the client named, and better once the server has described it. */
  oids: readonly number[]
}

/** A statement with its values. */
export interface Portal {
  readonly statement: Statement
  readonly values: readonly RecordedValue[]
  /** The Bind was too long to keep. */
  readonly cut?: Captured['cut']
}

/** Most bytes of prepared SQL that one session may make us remember; beyond it, digests. */
const mostRemembered = 8 * 1024 * 1024
const mostNames = 20_000
export const unknownStatement: Statement = { sql: { text: '' }, oids: [] }

/**
 * Names that the client gave to statements and portals, so that an Execute can be recorded with its text and values. Names
 * made in SQL (PREPARE, DECLARE) are not seen here; their text is recorded where it is sent.
 */
export class Names {
  readonly #statements = new Map<string, Statement>()
  readonly #portals = new Map<string, Portal>()
  #remembered = 0

  parse(name: string, statement: Statement): void {
    this.closeStatement(name)
    const kept = this.#remembered + statement.sql.text.length > mostRemembered ? forgotten(statement) : statement
    if (this.#statements.size >= mostNames) return // executing it is recorded as unknown
    this.#remembered += kept.sql.text.length
    this.#statements.set(name, kept)
  }

  statement(name: string): Statement | undefined {
    return this.#statements.get(name)
  }

  bind(name: string, portal: Portal): void {
    if (this.#portals.size < mostNames || this.#portals.has(name)) this.#portals.set(name, portal)
  }

  portal(name: string): Portal | undefined {
    return this.#portals.get(name)
  }

  closeStatement(name: string): void {
    const old = this.#statements.get(name)
    if (!old) return
    this.#remembered -= old.sql.text.length
    this.#statements.delete(name)
  }

  closePortal(name: string): void {
    this.#portals.delete(name)
  }

  /** A transaction has ended, and with it its portals. */
  endTransaction(): void {
    if (this.#portals.size > 0) this.#portals.clear()
  }
}

function forgotten({ sql, oids }: Statement): Statement {
  return { sql: { text: `${sql.text.slice(0, 200)}…`, ...(sql.cut ? { cut: sql.cut } : {}) }, oids }
}
