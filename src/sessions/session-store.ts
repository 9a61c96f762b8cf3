import { type CompiledQuery, sql } from 'kysely'
import { columnsCompiledOnce } from '../store/compiled-once.ts'
import { inLane } from '../store/lanes.ts'
import { countRows, type ListQuery, matching, readCursor } from '../store/lists.ts'
import type { Macs, WithoutMac } from '../store/signed-rows.ts'
import { type Db, isShared, transactOn } from '../store/store.ts'
import { signRow } from './session-macs.ts'
import type { SessionTables } from './session-tables.ts'

export type SessionRow = SessionTables['sessions']

export interface SessionQuery extends ListQuery {
  /** Only sessions that are open. */
  readonly open?: boolean
}

export interface SessionEnd {
  readonly endedAt: number
  readonly reason: string
  readonly bytesUp: number
  readonly bytesDown: number
  readonly digest: string | null
  readonly entries: number
}

/** What its engine reported when the session had reached its target. */
export interface SessionStart {
  readonly at: number
  /** JSON */
  readonly detail: string
}

/** Open sessions on one resource. */
export interface OpenElsewhere {
  readonly resource_id: string
  /** 1: of the principal in question. */
  readonly mine: number
  readonly count: number
}

/** The course of a session that has just begun. */
export const justOpened = {
  detail: '{}',
  started_at: null,
  ended_at: null,
  end_reason: null,
  bytes_up: 0,
  bytes_down: 0,
  recording_entries: 0,
  recording_digest: null,
}

/** Rows of `sessions`: one for each permit. */
export function createSessionStore(db: Db, keyring: Macs) {
  const insert = columnsCompiledOnce((row: SessionRow) => db.insertInto('sessions').values(row).compile())
  const update = columnsCompiledOnce((set: Partial<SessionRow>, id: string) =>
    db.updateTable('sessions').set(set).where('id', '=', id).compile(),
  )
  const close = columnsCompiledOnce((set: Partial<SessionRow>, id: string) =>
    db.updateTable('sessions').set(set).where('id', '=', id).where('ended_at', 'is', null).returning('id').compile(),
  )
  /** Committed beside its event. */
  const inserting = (row: WithoutMac<SessionRow>): CompiledQuery => insert(signRow(keyring, 'sessions', row))
  const starting = (id: string, { at, detail }: SessionStart): CompiledQuery => update({ started_at: at, detail }, id)
  /** For the claims of its event: nobody has closed it yet. @param start what the row does not have yet */
  const ending = (id: string, end: SessionEnd, start?: SessionStart): CompiledQuery => {
    const set: Partial<SessionRow> = {
      ended_at: end.endedAt,
      end_reason: end.reason,
      bytes_up: end.bytesUp,
      bytes_down: end.bytesDown,
      recording_digest: end.digest,
      recording_entries: end.entries,
      ...(start ? { started_at: start.at, detail: start.detail } : {}),
    }
    return close(set, id)
  }
  return {
    inserting,
    starting,
    ending,
    /** Writes the facts of its beginning anew, over a row that says otherwise. */
    restore: async (row: WithoutMac<SessionRow>): Promise<void> => {
      const signed = signRow(keyring, 'sessions', row)
      await db
        .insertInto('sessions')
        .values(signed)
        .onConflict((conflict) => conflict.column('id').doUpdateSet(signed))
        .execute()
    },
    /** In one commit. */
    started: async (starts: ReadonlyMap<string, SessionStart>): Promise<void> => {
      const updates = [...starts].map(([id, start]) => starting(id, start))
      await inLane('books', () => transactOn(db)(updates, () => []))
    },
    moved: async (ids: readonly string[], endsAt: number): Promise<void> => {
      if (ids.length === 0) return
      await inLane('books', () => db.updateTable('sessions').set({ ends_at: endsAt }).where('id', 'in', ids).execute())
    },
    ended: async (id: string, end: SessionEnd): Promise<void> => {
      await inLane('books', () => db.executeQuery(ending(id, end)))
    },
    /** Whether it is open, at whichever daemon; for the claims of an event. */
    isOpen: (id: string): CompiledQuery =>
      db.selectFrom('sessions').select('id').where('id', '=', id).where('ended_at', 'is', null).compile(),
    /** Open sessions at other daemons. */
    openElsewhere: async (daemonId: string, principalId: string): Promise<readonly OpenElsewhere[]> => {
      if (!isShared(db)) return []
      const isMine = sql<number>`case when principal_id = ${principalId} then 1 else 0 end`
      return await db
        .selectFrom('sessions')
        .select(({ fn }) => ['resource_id', isMine.as('mine'), fn.countAll<number>().as('count')])
        .where('ended_at', 'is', null)
        .where('daemon_id', '!=', daemonId)
        .groupBy(['resource_id', 'mine'])
        .execute()
    },
    find: (id: string): Promise<SessionRow | undefined> =>
      db.selectFrom('sessions').selectAll().where('id', '=', id).executeTakeFirst(),
    findAll: async (ids: readonly string[]): Promise<ReadonlyMap<string, SessionRow>> => {
      const rows = await db.selectFrom('sessions').selectAll().where('id', 'in', ids).execute()
      return new Map(rows.map((row) => [row.id, row]))
    },
    page: (after: string, limit: number): Promise<SessionRow[]> =>
      db.selectFrom('sessions').selectAll().where('id', '>', after).orderBy('id').limit(limit).execute(),
    /** Newest first: by their ids, which are ordered in time. */
    list: (query: SessionQuery, cursor: string | undefined, limit: number): Promise<SessionRow[]> => {
      let select = matches(db, query).selectAll().orderBy('id', 'desc').limit(limit)
      if (cursor !== undefined) select = select.where('id', '<', readCursor(cursor, /^ses_[0-9a-z]{26}$/))
      return select.execute()
    },
    count: (query: SessionQuery, most: number): Promise<number> =>
      countRows(db, matches(db, query).select('id').limit(most)),
    /** Ids of the daemons that have open sessions, by the rows. */
    daemonsWithOpen: async (): Promise<string[]> => {
      const rows = await db
        .selectFrom('sessions')
        .select('daemon_id')
        .distinct()
        .where('ended_at', 'is', null)
        .execute()
      return rows.map(({ daemon_id }) => daemon_id)
    },
    /** Ids of the open sessions of one daemon. */
    openAt: async (daemonId: string): Promise<string[]> => {
      const open = db.selectFrom('sessions').select('id').where('ended_at', 'is', null)
      return (await open.where('daemon_id', '=', daemonId).execute()).map(({ id }) => id)
    },
    /** Sessions of this daemon that another one closed, which had not their recordings. */
    unsealed: (daemonId: string): Promise<SessionRow[]> =>
      db
        .selectFrom('sessions')
        .selectAll()
        .where('daemon_id', '=', daemonId)
        .where('end_reason', '=', 'daemon-lost')
        .where('recording_digest', 'is', null)
        .orderBy('id')
        .execute(),
    /** Open sessions of these daemons. */
    leftOpen: (daemonIds: readonly string[]): Promise<SessionRow[]> =>
      db
        .selectFrom('sessions')
        .selectAll()
        .where('ended_at', 'is', null)
        .where('daemon_id', 'in', daemonIds)
        .orderBy('id')
        .execute(),
  }
}

function matches(db: Db, query: SessionQuery) {
  const columns = { at: 'opened_at', principal: ['principal_id'], resource: 'resource_id' }
  const select = db.selectFrom('sessions').where(matching(query, columns))
  return query.open ? select.where('ended_at', 'is', null) : select
}

export type SessionStore = ReturnType<typeof createSessionStore>
