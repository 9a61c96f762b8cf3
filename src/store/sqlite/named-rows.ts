import type { SqliteFailure, SqliteResult } from './sqlite-worker.ts'

/** What a statement returned, as the rest of the product reads it. */
export interface NamedResult {
  readonly rows: Record<string, unknown>[]
  readonly changes: number
}

export function nameRows(result: SqliteResult | SqliteFailure): NamedResult | SqliteFailure {
  if ('error' in result) return result
  const { columns, rows, changes } = result
  return { rows: rows.map((values) => toRow(columns, values)), changes }
}

/** Each in the same order, so that all rows of a query have one hidden class. */
function toRow(columns: readonly string[], values: readonly unknown[]): Record<string, unknown> {
  const row: Record<string, unknown> = {}
  for (let i = 0; i < columns.length; i += 1) row[columns[i] as string] = values[i]
  return row
}
