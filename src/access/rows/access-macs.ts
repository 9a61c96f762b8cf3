import { type Macs, type RowProblem, unsignedRows } from '../../store/signed-rows.ts'
import type { Db } from '../../store/store.ts'
import type { AccessTables } from './access-tables.ts'
import { isSigned } from './rows.ts'

const tables = [
  ['grants', 'grant'],
  ['requests', 'request'],
  ['decisions', 'decision'],
  ['rule_revisions', 'rules'],
] as const

/** Every row of access that the broker did not write. */
export async function* checkAccessMacs(db: Db, keyring: Macs): AsyncIterable<RowProblem> {
  for (const [table, where] of tables)
    yield* unsignedRows(
      where,
      (after, limit): Promise<AccessTables[typeof table][]> =>
        db.selectFrom(table).selectAll().where('id', '>', after).orderBy('id').limit(limit).execute(),
      (row) => isSigned(keyring, table, row),
    )
}
