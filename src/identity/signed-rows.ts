import type { Keyring } from '../store/keyring.ts'
import type { Db } from '../store/store.ts'
import type { IdentityTables } from './identity-tables.ts'

export type Macs = Pick<Keyring, 'mac' | 'checkMac'>
export type Table = keyof IdentityTables
export type Row<T extends Table> = IdentityTables[T]
export type Unsigned<T extends Table> = Omit<Row<T>, 'mac'>

/** Columns that lend no authority and change with use. */
const freeColumns: { readonly [T in Table]: readonly string[] } = {
  principals: [],
  logins: [],
  api_tokens: ['last_used_at', 'last_used_from'],
  connect_tokens: ['last_used_at', 'last_used_from'],
}

/** Null members are left out, so that a column that a later migration adds doesn't break what was signed before it. */
function macText(table: Table, row: object): string {
  const members = Object.entries(row)
    .filter(([column, value]) => value !== null && column !== 'mac' && !freeColumns[table].includes(column))
    .map(([column, value]) => [column, value instanceof Uint8Array ? Buffer.from(value).toString('base64') : value])
    .sort(([a], [b]) => (a < b ? -1 : 1))
  return JSON.stringify(members)
}

/** Adds the MAC under the key that isn't in the store: a writer of the database can't make such a row. */
export function signRow<T extends Table>(keyring: Macs, table: T, row: Unsigned<T>): Unsigned<T> & { mac: string } {
  return { ...row, mac: keyring.mac(`row:${table}`, macText(table, row)) }
}

export function isSigned<T extends Table>(keyring: Macs, table: T, row: Row<T>): boolean {
  return keyring.checkMac(`row:${table}`, macText(table, row), row.mac)
}

const pageSize = 500

/**
 * Every row of identity whose MAC does not check: somebody else than the broker wrote it. Read page by page.
 * @returns problems as `audit verify` reports them: `where` names the table, `at` the row's id
 */
export async function* checkIdentityMacs(
  db: Db,
  keyring: Macs,
): AsyncIterable<{ readonly where: string; readonly at: string; readonly what: string }> {
  for (const table of Object.keys(freeColumns) as Table[]) {
    let after = ''
    for (;;) {
      const query = db.selectFrom(table).selectAll().where('id', '>', after).orderBy('id').limit(pageSize)
      const rows: { id: string; mac: string }[] = await query.execute()
      for (const row of rows) {
        if (!isSigned(keyring, table, row as Row<typeof table>))
          yield {
            where: table,
            at: row.id,
            what: 'the row does not carry a valid signature: the broker did not write it',
          }
      }
      const last = rows.at(-1)
      if (!last || rows.length < pageSize) break
      after = last.id
    }
  }
}
