import { type SqlBool, sql } from 'kysely'
import { compiledOnce } from '../../store/compiled-once.ts'
import { type ListQuery, matching, readCursor } from '../../store/lists.ts'
import type { Macs } from '../../store/signed-rows.ts'
import { type Db, readOne } from '../../store/store.ts'
import type { Login } from '../principal.ts'
import { isSigned, type Row, signRow, type Unsigned } from '../signed-rows.ts'

export type ApiTokenRow = Row<'api_tokens'>
export type ConnectTokenRow = Row<'connect_tokens'>
export type TokenStore = ReturnType<typeof createTokenStore>

/** A list of tokens. */
export interface TokenQuery extends ListQuery {
  /** Also those of others, for admins. */
  readonly all: boolean
}

/** Whose tokens are listed; null: those of all, which only an admin sees. To name a person is to ask for theirs. */
export function ownerIn({ principal, roles }: Login, { all, principalId }: TokenQuery): string | null {
  return (all || principalId !== undefined) && roles.includes('admin') ? null : principal.id
}

const mostAtOnce = 500

/** Rows that the broker did not write are as good as none. */
export function createTokenStore(db: Db, keyring: Macs) {
  const api = () => db.selectFrom('api_tokens').selectAll()
  const connect = () => db.selectFrom('connect_tokens').selectAll()
  const connectById = compiledOnce((id: string) => connect().where('id', '=', id).compile())
  const genuineApi = (row: ApiTokenRow | undefined) => (row && isSigned(keyring, 'api_tokens', row) ? row : undefined)
  const genuineConnect = (row: ConnectTokenRow | undefined) =>
    row && isSigned(keyring, 'connect_tokens', row) ? row : undefined
  return {
    apiToken: async (id: string) => genuineApi(await api().where('id', '=', id).executeTakeFirst()),
    connectToken: async (id: string) => genuineConnect(await readOne(db, connectById(id))),
    /** Newest first. @param of in this person's name, or made by them; null: all */
    listApiTokens: async (query: ListQuery, of: string | null, cursor: string | undefined, limit: number) => {
      let select = api().where(matching(query, { at: 'created_at', principal: ['principal_id', 'created_by'] }))
      if (of !== null) select = select.where((e) => e.or([e('principal_id', '=', of), e('created_by', '=', of)]))
      if (cursor !== undefined) select = select.where('id', '<', readCursor(cursor, /^api_[0-9a-z]{26}$/))
      return await select.orderBy('id', 'desc').limit(limit).execute()
    },
    /** Newest first; their ids are random. */
    listConnectTokens: async (query: ListQuery, of: string | null, cursor: string | undefined, limit: number) => {
      const columns = { at: 'created_at', principal: ['principal_id'], resource: 'resource_id' }
      let select = connect().where(matching(query, columns))
      if (of !== null) select = select.where('principal_id', '=', of)
      if (cursor !== undefined) {
        const [at = '', id = ''] = readCursor(cursor, /^[0-9]{1,15}_[0-9a-z]{16}$/).split('_')
        const isOlder = sql<SqlBool>`(created_at, id) < (${Number(at)}, ${id})`
        select = select.where(isOlder)
      }
      return await select.orderBy('created_at', 'desc').orderBy('id', 'desc').limit(limit).execute()
    },
    isGenuine: <T extends 'api_tokens' | 'connect_tokens'>(table: T, row: Row<T>) => isSigned(keyring, table, row),
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
    insertionOfApi: (row: Unsigned<'api_tokens'>) =>
      db
        .insertInto('api_tokens')
        .values(signRow(keyring, 'api_tokens', row))
        .compile(),
    insertionOfConnect: (row: Unsigned<'connect_tokens'>) =>
      db
        .insertInto('connect_tokens')
        .values(signRow(keyring, 'connect_tokens', row))
        .compile(),
    used: async (table: 'api_tokens' | 'connect_tokens', id: string, at: number, from: string) => {
      const use = { last_used_at: at, last_used_from: from.slice(0, 64) }
      await db.updateTable(table).set(use).where('id', '=', id).execute()
    },
    delete: async (table: 'api_tokens' | 'connect_tokens', id: string) => {
      await db.deleteFrom(table).where('id', '=', id).execute()
    },
  }
}
