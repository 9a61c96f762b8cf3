import type { Keyring } from '../../store/keyring.ts'
import type { Db } from '../../store/store.ts'
import { isSigned } from './rows.ts'

const pageSize = 500
const tables = [
  ['grants', 'grant'],
  ['requests', 'request'],
  ['decisions', 'decision'],
  ['rule_revisions', 'rules'],
] as const

/**
 * Every row of access whose MAC does not check: somebody else than the broker wrote it. Read page by page.
 * @returns problems as `audit verify` reports them: `where` names the sort of row, `at` its id
 */
export async function* checkAccessMacs(
  db: Db,
  keyring: Pick<Keyring, 'checkMac' | 'mac'>,
): AsyncIterable<{ readonly where: string; readonly at: string; readonly what: string }> {
  for (const [table, where] of tables) {
    let after = ''
    for (;;) {
      const rows = await db
        .selectFrom(table)
        .selectAll()
        .where('id', '>', after)
        .orderBy('id')
        .limit(pageSize)
        .execute()
      for (const row of rows) {
        if (!isSigned(keyring, table, row as never))
          yield { where, at: row.id, what: 'the row does not carry a valid signature: the broker did not write it' }
      }
      const last = rows.at(-1)
      if (!last || rows.length < pageSize) break
      after = last.id
    }
  }
}
