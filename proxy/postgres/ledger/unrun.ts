import type { Incomplete } from '../../recording/statement-entry.ts'
import type { Names } from './names.ts'
import type { Pending } from './pending.ts'
import { toBoundText, toEntry } from './statement-record.ts'

interface Unrecorded {
  readonly pending: Pending
  readonly incomplete: Incomplete | undefined
}

const mostParsed = 10

/**
 * What the server has accepted and no Execute has run. A Bind is recorded by itself, since planning it may have run functions; so
 * is a named statement before the server is ready again, since SQL can run it by its name (EXECUTE, also in code that is built)
 * and nothing else tells its text then.
 */
export class Unrun {
  readonly #names: Names
  readonly #write: (entry: string) => void
  #bound: Unrecorded | undefined
  #parsed: Unrecorded[] = []

  constructor(names: Names, write: (entry: string) => void) {
    this.#names = names
    this.#write = write
  }

  add(pending: Pending, incomplete: Incomplete | undefined): void {
    const { request } = pending
    if (request.kind === 'bind') this.#bound = { pending, incomplete }
    if (request.kind !== 'parse' || request.name === '') return
    this.#parsed.push({ pending, incomplete })
    if (this.#parsed.length >= mostParsed) this.#writeParsed()
  }

  /** Its entry says what the portal runs. */
  executed(portal: string): void {
    const bound = this.#bound?.pending.request
    if (bound?.kind === 'bind' && bound.portal === portal) this.#bound = undefined
    this.#shown(portal)
  }

  /** The portal of the last Bind is run no more. */
  writeBound(): void {
    const bound = this.#bound
    this.#bound = undefined
    if (!bound) return
    this.#write(toBoundText(bound.pending, this.#names, bound.incomplete))
    if (bound.pending.request.kind === 'bind') this.#shown(bound.pending.request.portal)
  }

  write(): void {
    this.writeBound()
    this.#writeParsed()
  }

  /** An entry has the text of the portal's statement, if that is known. */
  #shown(portal: string): void {
    if (this.#parsed.length === 0) return
    const statement = this.#names.portal(portal)?.statement
    if (!statement || statement.sql.isUnknown) return
    this.#parsed = this.#parsed.filter(
      ({ pending: { request } }) => request.kind !== 'parse' || request.sql !== statement.sql,
    )
  }

  #writeParsed(): void {
    for (const { pending, incomplete } of this.#parsed) {
      const entry = toEntry(pending, this.#names, 0, incomplete)
      if (entry) this.#write(entry.text)
    }
    this.#parsed.length = 0
  }
}
