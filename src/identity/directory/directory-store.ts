import { type CompiledQuery, type RawBuilder, type SqlBool, sql } from 'kysely'
import { compiledOnce } from '../../store/compiled-once.ts'
import { countRows, type ListQuery, matching } from '../../store/lists.ts'
import type { Macs } from '../../store/signed-rows.ts'
import { type Db, readOne } from '../../store/store.ts'
import { type Row, signRow, type Unsigned } from '../signed-rows.ts'
import { centerPrefix } from './claims.ts'

export type DirectoryStore = ReturnType<typeof createDirectoryStore>

/** One change of one row. */
export interface Step {
  /** Returns no row when another step came first: then nothing is changed. */
  readonly claim: CompiledQuery<{ id: string }>
  /** As it is then. */
  readonly row: Row<'principals'>
}

export interface DirectoryQuery extends ListQuery {
  /** Only the service accounts of this person. */
  readonly ownerId?: string
}

const columns = { at: 'seen_at', principal: ['id'] }

/** A row, and whether its verified e-mail is also that of another active principal: then it is no label. */
export interface Labelled {
  readonly row: Row<'principals'>
  readonly isEmailShared: boolean
}

/** @param id of the one parameter */
function selectLabelled(db: Db, id: (given: string) => RawBuilder<unknown>) {
  const isShared = sql<number | boolean>`exists (
    select 1 from principals as other
    where other.email_key = principals.email_key and other.email_verified = 1 and other.active = 1
      and other.id <> principals.id
  )`
  const select = db.selectFrom('principals').selectAll().select(isShared.as('is_email_shared'))
  return compiledOnce((given: string) => select.where(sql<SqlBool>`principals.id = ${id(given)}`).compile())
}

type SelectLabelled = ReturnType<typeof selectLabelled>

async function labelled(db: Db, query: ReturnType<SelectLabelled>): Promise<Labelled | undefined> {
  const found = await readOne(db, query)
  if (!found) return undefined
  const { is_email_shared: shared, ...row } = found
  return { row, isEmailShared: Boolean(shared) }
}

export function createDirectoryStore(db: Db, keyring: Macs) {
  const all = () => db.selectFrom('principals').selectAll()
  const byId = selectLabelled(db, (id) => sql`${id}`)
  const byToken = selectLabelled(db, (id) => sql`(select principal_id from connect_tokens where id = ${id})`)
  const matches = ({ ownerId, ...query }: DirectoryQuery) => {
    const found = matching(query, columns)
    return ownerId === undefined ? found : sql<SqlBool>`${found} and owner_id = ${ownerId}`
  }
  return {
    row: (id: string) => all().where('id', '=', id).executeTakeFirst(),
    labelled: (id: string) => labelled(db, byId(id)),
    /** Of the principal in whose name this connect token is. */
    labelledOwner: (tokenId: string) => labelled(db, byToken(tokenId)),
    withEmail: (key: string) => all().where('email_key', '=', key).where('email_verified', '=', 1).limit(100).execute(),
    /** Active ones. */
    withLoginName: (name: string) => all().where('login_name', '=', name).where('active', '=', 1).limit(100).execute(),
    named: (name: string) =>
      all()
        .where((e) => e.or([e('username', '=', name), e('display_name', '=', name), e('subject', '=', name)]))
        .limit(100)
        .execute(),
    /** And some that are not. */
    inCenterGroups: () => all().where('groups', 'like', `%"${centerPrefix}%`).execute(),
    ownedBy: (id: string) => all().where('owner_id', '=', id).execute(),
    page: (query: DirectoryQuery, cursor: string | undefined, limit: number) => {
      const select = all().where(matches(query)).orderBy('id').limit(limit)
      return (cursor === undefined ? select : select.where('id', '>', cursor)).execute()
    },
    count: (query: DirectoryQuery, most: number) =>
      countRows(db, db.selectFrom('principals').select('id').where(matches(query)).limit(most)),
    /** Whether some active principal names this one as its manager: by verified e-mail, or by subject at the same provider. */
    hasReports: async (emailKey: string | null, { issuer, subject }: Pick<Row<'principals'>, 'issuer' | 'subject'>) =>
      (await db
        .selectFrom('principals')
        .select('id')
        .where('active', '=', 1)
        .where((e) =>
          e.or([
            sql<SqlBool>`lower(trim(manager)) = ${emailKey ?? ''}`,
            e.and([e('manager', '=', subject), e('issuer', '=', issuer)]),
          ]),
        )
        .limit(1)
        .executeTakeFirst()) !== undefined,
    isSubjectTaken: async (issuer: string, subject: string) =>
      (await db
        .selectFrom('principals')
        .select('id')
        .where('issuer', '=', issuer)
        .where('subject', '=', subject)
        .executeTakeFirst()) !== undefined,
    /** Whether another active principal has this verified e-mail. */
    isEmailShared: async (key: string, id: string) =>
      (await db
        .selectFrom('principals')
        .select('id')
        .where('email_key', '=', key)
        .where('email_verified', '=', 1)
        .where('active', '=', 1)
        .where('id', '!=', id)
        .limit(1)
        .executeTakeFirst()) !== undefined,
    /** @param before as it was read, also if the broker did not write it; undefined: there was none */
    replace: (before: Row<'principals'> | undefined, columns: Unsigned<'principals'>): Step => {
      const row: Row<'principals'> = signRow(keyring, 'principals', columns)
      const insert = db.insertInto('principals').values(row)
      if (!before)
        return {
          row,
          claim: insert
            .onConflict((found) => found.doNothing())
            .returning('id')
            .compile(),
        }
      const update = db.updateTable('principals').set(row).where('id', '=', row.id).where('mac', '=', before.mac)
      return { row, claim: update.where('version', '=', before.version).returning('id').compile() }
    },
    run: async (claim: Step['claim']): Promise<boolean> => (await db.executeQuery(claim)).rows.length > 0,
  }
}
