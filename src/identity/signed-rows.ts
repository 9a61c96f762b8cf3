import { type Macs, type RowProblem, signedRows, unsignedRows, type WithoutMac } from '../store/signed-rows.ts'
import type { Db } from '../store/store.ts'
import type { IdentityTables } from './identity-tables.ts'

export type Table = keyof IdentityTables
export type Row<T extends Table> = IdentityTables[T]
export type Unsigned<T extends Table> = WithoutMac<Row<T>>

/** Sorted pairs, with bytes in base64. */
function writePairs(members: [string, unknown][]): string {
  const pairs = members
    .map(([column, value]): [string, unknown] => [
      column,
      value instanceof Uint8Array ? Buffer.from(value).toString('base64') : value,
    ])
    .sort(([a], [b]) => (a < b ? -1 : 1))
  return JSON.stringify(pairs)
}

const useOf = ['last_used_at', 'last_used_from']

export const { signRow, isSigned } = signedRows<IdentityTables>(
  { principals: [], logins: ['refreshing_until'], api_tokens: useOf, connect_tokens: useOf },
  writePairs,
)

const tables: readonly Table[] = ['principals', 'logins', 'api_tokens', 'connect_tokens']

/** Every row of identity that the broker did not write. */
export async function* checkIdentityMacs(db: Db, keyring: Macs): AsyncIterable<RowProblem> {
  for (const table of tables)
    yield* unsignedRows(
      table,
      (after, limit): Promise<Row<Table>[]> =>
        db.selectFrom(table).selectAll().where('id', '>', after).orderBy('id').limit(limit).execute(),
      (row) => isSigned(keyring, table, row),
    )
}
