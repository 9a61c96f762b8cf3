import type { RowProblem } from '../store/signed-rows.ts'
import type { AuditLog, AuditRecord, AuditType } from './audit.ts'
import { readEvents } from './read-events.ts'

/** Rows that the log tells of, too: so one that was deleted or put back is noticed. */
export interface LoggedRows<Row> {
  /** Sort of row, as problems name it. */
  readonly where: string
  readonly type: AuditType
  /** Field of the event that holds the id of the row. */
  readonly field: string
  find(ids: readonly string[]): Promise<ReadonlyMap<string, Row>>
  /** @returns names of what the event says otherwise */
  differs(row: Row, event: AuditRecord): readonly string[]
}

export interface LoggedRow<Row> {
  readonly id: string
  readonly event: AuditRecord
  readonly row: Row | undefined
  /** Null: the row says the same. */
  readonly problem: string | null
}

const batch = 500

/** Each event since then with its row, newest first. @param since epoch milliseconds */
export async function* readLoggedRows<Row>(
  audit: Pick<AuditLog, 'search'>,
  rows: LoggedRows<Row>,
  since = 0,
): AsyncGenerator<LoggedRow<Row>> {
  let events: (readonly [string, AuditRecord])[] = []
  for await (const event of readEvents(audit, [rows.type], since)) {
    events.push([String(event.fields[rows.field]), event])
    if (events.length < batch) continue
    yield* join(rows, events)
    events = []
  }
  yield* join(rows, events)
}

async function* join<Row>(
  rows: LoggedRows<Row>,
  events: readonly (readonly [string, AuditRecord])[],
): AsyncGenerator<LoggedRow<Row>> {
  const found = events.length > 0 ? await rows.find(events.map(([id]) => id)) : new Map<string, Row>()
  for (const [id, event] of events) {
    const row = found.get(id)
    yield {
      id,
      event,
      row,
      problem: row ? describe(rows.differs(row, event)) : 'it is in the log, but its row is gone',
    }
  }
}

function describe(differing: readonly string[]): string | null {
  return differing.length > 0 ? `the row and the log differ in ${differing.join(', ')}` : null
}

/** Problems of rows, for `audit verify`. @param onEvent called with each id that the log names */
export async function* checkLoggedRows<Row>(
  audit: Pick<AuditLog, 'search'>,
  rows: LoggedRows<Row>,
  onEvent: (id: string) => void = () => {},
): AsyncGenerator<RowProblem> {
  for await (const { id, problem } of readLoggedRows(audit, rows)) {
    onEvent(id)
    if (problem !== null) yield { where: rows.where, at: id, what: problem }
  }
}

/** @returns the names of those pairs that are not the same; what the event doesn't say is not compared */
export function differing(pairs: Readonly<Record<string, readonly [row: unknown, event: unknown]>>): string[] {
  return Object.entries(pairs).flatMap(([name, [row, event]]) => (event === undefined || row === event ? [] : [name]))
}
