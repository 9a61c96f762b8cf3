import type { CompiledQuery } from 'kysely'
import type { Rows } from '../../store/transact.ts'
import type { Beside } from '../audit.ts'

export interface Statements {
  readonly claims: readonly CompiledQuery[]
  readonly writes: readonly CompiledQuery[]
}

export const noStatements: Statements = { claims: [], writes: [] }

export function statementsOf(beside: Beside): Statements {
  return 'length' in beside ? { claims: [], writes: beside } : { ...noStatements, ...beside }
}

/** Events of one commit whose claims were refused. The commit was rolled back; without these it can be tried again. */
export class ClaimsRefused extends Error {
  /** Places of the events in what was to be committed. */
  readonly events: ReadonlySet<number>

  constructor(events: Iterable<number>) {
    super('a claim was refused')
    this.name = 'ClaimsRefused'
    this.events = new Set(events)
  }
}

/**
 * @param events claims of each event
 * @param found what they returned, one after another
 * @throws ClaimsRefused when one returned no row
 */
export function checkClaims(events: readonly (readonly CompiledQuery[])[], found: readonly Rows[]): void {
  const refused: number[] = []
  let next = 0
  for (const [i, { length }] of events.entries()) {
    const returned = found.slice(next, next + length)
    next += length
    if (returned.every((rows) => rows.length > 0)) continue
    refused.push(i)
    // What it changed before its refusal may have refused those behind it, which are tried again.
    if (returned.some((rows) => rows.length > 0)) break
  }
  if (refused.length > 0) throw new ClaimsRefused(refused)
}
