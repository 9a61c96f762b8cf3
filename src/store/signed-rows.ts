import type { Keyring } from './keyring.ts'
import { pages } from './pages.ts'

export type Macs = Pick<Keyring, 'mac' | 'checkMac'>
export type WithoutMac<Row> = Omit<Row, 'mac'>

interface SignedRow {
  /** Null in rows from before their table had one. */
  readonly mac: string | null
}

/**
 * Rows with a MAC by a key outside the store: write access to the database is not enough to make such a row.
 * @param freeColumns columns that give no authority, by table: they may change, or be erased, without breaking the MAC
 * @param write makes one text of the members, whatever their order. Must never change: old rows must stay valid
 */
export function signedRows<Tables extends { readonly [T in keyof Tables]: SignedRow }>(
  freeColumns: { readonly [T in keyof Tables]: readonly string[] },
  write: (members: [column: string, value: unknown][]) => string,
) {
  type Table = keyof Tables & string
  // Null members are left out, so that a column that a later migration adds doesn't break what was signed before it.
  const orders = new Map<Table, readonly string[]>()
  const macText = (table: Table, row: object) => {
    const columns = Object.keys(row)
    const known = orders.get(table)
    const order = known && isOrderOf(known, columns) ? known : columns.toSorted()
    orders.set(table, order)
    const members: [string, unknown][] = []
    for (const column of order) {
      const value = (row as Record<string, unknown>)[column]
      if (value !== null && column !== 'mac' && !freeColumns[table].includes(column)) members.push([column, value])
    }
    return write(members)
  }
  return {
    signRow: <T extends Table>(keyring: Macs, table: T, row: WithoutMac<Tables[T]>) => ({
      ...row,
      mac: keyring.mac(`row:${table}`, macText(table, row)),
    }),
    isSigned: <T extends Table>(keyring: Macs, table: T, row: Tables[T]): boolean =>
      row.mac !== null && keyring.checkMac(`row:${table}`, macText(table, row), row.mac),
  }
}

/** Most rows of a table come with the same columns, which are then sorted once. */
function isOrderOf(sorted: readonly string[], columns: readonly string[]): boolean {
  return sorted.length === columns.length && columns.every((column) => sorted.includes(column))
}

/** As `audit verify` reports it: `where` names the sort of row, `at` its id. */
export interface RowProblem {
  readonly where: string
  readonly at: string
  readonly what: string
}

const pageSize = 500

/** Every row with an invalid MAC, read page by page. @param read rows in the order of their ids */
export async function* unsignedRows<Row extends { readonly id: string }>(
  where: string,
  read: (after: string, limit: number) => Promise<readonly Row[]>,
  isSigned: (row: Row) => boolean,
): AsyncGenerator<RowProblem> {
  const what = 'the row has no valid signature: it was not written by the broker'
  for await (const rows of pages(
    '',
    (row: Row) => row.id,
    (after) => read(after, pageSize),
  ))
    for (const row of rows) if (!isSigned(row)) yield { where, at: row.id, what }
}
