import type { Macs } from '../../store/signed-rows.ts'
import type { Db } from '../../store/store.ts'
import { isSigned, type Row, signRow, type Unsigned } from '../signed-rows.ts'

export type ApiTokenRow = Row<'api_tokens'>
export type ConnectTokenRow = Row<'connect_tokens'>
export type TokenStore = ReturnType<typeof createTokenStore>

const mostAtOnce = 500

/** Rows that the broker did not write are as good as none. */
export function createTokenStore(db: Db, keyring: Macs) {
  const api = () => db.selectFrom('api_tokens').selectAll()
  const connect = () => db.selectFrom('connect_tokens').selectAll()
  const genuineApi = (row: ApiTokenRow | undefined) => (row && isSigned(keyring, 'api_tokens', row) ? row : undefined)
  const genuineConnect = (row: ConnectTokenRow | undefined) =>
    row && isSigned(keyring, 'connect_tokens', row) ? row : undefined
  return {
    apiToken: async (id: string) => genuineApi(await api().where('id', '=', id).executeTakeFirst()),
    connectToken: async (id: string) => genuineConnect(await connect().where('id', '=', id).executeTakeFirst()),
    /** All of them, by their ids; at most 1,000 after `after`. */
    apiTokens: async (after = '') =>
      (await api().where('id', '>', after).orderBy('id').limit(1000).execute()).filter(genuineApi),
    connectTokens: async (after = '') =>
      (await connect().where('id', '>', after).orderBy('id').limit(1000).execute()).filter(genuineConnect),
    /** In this person's name, or made by them. */
    apiTokensOf: async (id: string) =>
      (
        await api()
          .where((e) => e.or([e('principal_id', '=', id), e('created_by', '=', id)]))
          .execute()
      ).filter(genuineApi),
    connectTokensOf: async (id: string) =>
      (await connect().where('principal_id', '=', id).execute()).filter(genuineConnect),
    issuedBy: async (id: string) => (await connect().where('issued_by', '=', id).execute()).filter(genuineConnect),
    expiredApiTokens: (now: number) => api().where('expires_at', '<=', now).limit(mostAtOnce).execute(),
    expiredConnectTokens: (now: number) => connect().where('expires_at', '<=', now).limit(mostAtOnce).execute(),
    insertApiToken: async (row: Unsigned<'api_tokens'>) => {
      await db
        .insertInto('api_tokens')
        .values(signRow(keyring, 'api_tokens', row))
        .execute()
    },
    insertConnectToken: async (row: Unsigned<'connect_tokens'>) => {
      await db
        .insertInto('connect_tokens')
        .values(signRow(keyring, 'connect_tokens', row))
        .execute()
    },
    used: async (table: 'api_tokens' | 'connect_tokens', id: string, at: number, from: string) => {
      const use = { last_used_at: at, last_used_from: from.slice(0, 64) }
      await db.updateTable(table).set(use).where('id', '=', id).execute()
    },
    delete: async (table: 'api_tokens' | 'connect_tokens', id: string) => {
      await db.deleteFrom(table).where('id', '=', id).execute()
    },
  }
}
