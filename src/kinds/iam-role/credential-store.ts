import type { Macs, WithoutMac } from '../../store/signed-rows.ts'
import type { Db } from '../../store/store.ts'
import { isSigned, signRow } from './credential-macs.ts'
import type { CredentialTables } from './credential-tables.ts'

export type CredentialRow = CredentialTables['role_credentials']
type Course = Pick<CredentialRow, 'doomed_at' | 'doomed_by' | 'settled_at'>

/** Issued credentials: which still work, and which have been revoked. Rows that the broker did not write do not count. */
export function createCredentialStore(db: Db, keyring: Macs) {
  const table = 'role_credentials'
  const unexpired = (now: number) => db.selectFrom(table).selectAll().where('works_until', '>', now)
  const working = (now: number) => unexpired(now).where('settled_at', 'is', null)
  const signed = (rows: CredentialRow[]) => rows.filter((row) => isSigned(keyring, table, row))
  const update = (keys: readonly string[], change: (row: CredentialRow) => Partial<Course>): Promise<void> =>
    db.transaction().execute(async (trx) => {
      // An update, not a select: it takes the rows' locks in both stores.
      const lock = trx.updateTable(table).set((row) => ({ access_key_id: row.ref('access_key_id') }))
      const rows = signed(await lock.where('access_key_id', 'in', keys).returningAll().execute())
      for (const row of rows) {
        const { mac: _, ...facts } = row
        const { doomed_at, doomed_by, settled_at, mac } = signRow(keyring, table, { ...facts, ...change(row) })
        const changed = { doomed_at, doomed_by, settled_at, mac }
        await trx.updateTable(table).set(changed).where('access_key_id', '=', row.access_key_id).execute()
      }
    })
  return {
    insert: async (row: WithoutMac<CredentialRow>): Promise<void> => {
      await db
        .insertInto(table)
        .values(signRow(keyring, table, row))
        .execute()
    },
    /** Writes a row over one that says otherwise. */
    restore: async (row: WithoutMac<CredentialRow>): Promise<void> => {
      const values = signRow(keyring, table, row)
      await db
        .insertInto(table)
        .values(values)
        .onConflict((conflict) => conflict.column('access_key_id').doUpdateSet(values))
        .execute()
    },
    findAll: async (keys: readonly string[]): Promise<ReadonlyMap<string, CredentialRow>> => {
      const rows = await db.selectFrom(table).selectAll().where('access_key_id', 'in', keys).execute()
      return new Map(rows.map((row) => [row.access_key_id, row]))
    },
    page: (after: string, limit: number): Promise<(CredentialRow & { id: string })[]> =>
      db
        .selectFrom(table)
        .selectAll()
        .select('access_key_id as id')
        .where('access_key_id', '>', after)
        .orderBy('access_key_id')
        .limit(limit)
        .execute(),
    /** Not expired, and access has not been taken away. */
    unrevoked: async (now: number): Promise<CredentialRow[]> =>
      signed(await working(now).where('doomed_at', 'is', null).execute()),
    /** Access was taken away, but the credentials have not been killed or reported yet. */
    unsettled: async (now: number, account?: string): Promise<CredentialRow[]> => {
      const rows = working(now).where('doomed_at', 'is not', null)
      return signed(await (account === undefined ? rows : rows.where('account', '=', account)).execute())
    },
    /** Those of an account that were killed, and would work if their denial went away. */
    denied: async (now: number, account: string): Promise<CredentialRow[]> =>
      signed(
        await unexpired(now)
          .where('account', '=', account)
          .where('revocable', '=', 1)
          .where('doomed_at', 'is not', null)
          .where('settled_at', 'is not', null)
          .execute(),
      ),
    revoke: (keys: readonly string[], at: number, by: 'grant' | 'session'): Promise<void> =>
      update(keys, (row) => (row.doomed_at === null ? { doomed_at: at, doomed_by: by } : {})),
    settle: (keys: readonly string[], at: number): Promise<void> => update(keys, () => ({ settled_at: at })),
    /** Accounts whose deny list has, or may still have, entries of credentials that worked after `since`. */
    deniedSince: async (since: number): Promise<{ account: string; partition: string }[]> => {
      const rows = await db
        .selectFrom(table)
        .selectAll()
        .where('revocable', '=', 1)
        .where('settled_at', 'is not', null)
        .where('works_until', '>', since)
        .execute()
      const places = signed(rows).map(({ account, partition }) => [account, { account, partition }] as const)
      return [...new Map(places).values()]
    },
  }
}

export type CredentialStore = ReturnType<typeof createCredentialStore>
