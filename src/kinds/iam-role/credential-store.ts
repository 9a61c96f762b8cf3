import type { Db } from '../../store/store.ts'
import type { CredentialTables } from './credential-tables.ts'

export type CredentialRow = CredentialTables['role_credentials']

/** Issued credentials: which still work, and which have been revoked. */
export function createCredentialStore(db: Db) {
  const working = (now: number) =>
    db.selectFrom('role_credentials').selectAll().where('works_until', '>', now).where('settled_at', 'is', null)
  return {
    insert: async (row: CredentialRow): Promise<void> => {
      await db.insertInto('role_credentials').values(row).execute()
    },
    /** Not expired, and access has not been taken away. */
    unrevoked: (now: number): Promise<CredentialRow[]> => working(now).where('doomed_at', 'is', null).execute(),
    /** Access was taken away, but the credentials have not been killed or reported yet. */
    unsettled: (now: number): Promise<CredentialRow[]> => working(now).where('doomed_at', 'is not', null).execute(),
    revoke: async (keys: readonly string[], at: number, by: 'grant' | 'session'): Promise<void> => {
      await db
        .updateTable('role_credentials')
        .set({ doomed_at: at, doomed_by: by })
        .where('access_key_id', 'in', keys)
        .where('doomed_at', 'is', null)
        .execute()
    },
    settle: async (keys: readonly string[], at: number): Promise<void> => {
      await db.updateTable('role_credentials').set({ settled_at: at }).where('access_key_id', 'in', keys).execute()
    },
    /** Accounts whose deny list has, or may still have, entries of credentials that worked after `since`. */
    deniedSince: async (since: number): Promise<{ account: string; partition: string }[]> =>
      await db
        .selectFrom('role_credentials')
        .select(['account', 'partition'])
        .distinct()
        .where('revocable', '=', 1)
        .where('settled_at', 'is not', null)
        .where('works_until', '>', since)
        .execute(),
  }
}

export type CredentialStore = ReturnType<typeof createCredentialStore>
