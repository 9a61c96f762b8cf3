import type { Db } from '../store/store.ts'
import type { SessionTables } from './session-tables.ts'

export type SessionRow = SessionTables['sessions']

export interface SessionQuery {
  /** Only sessions of this principal. */
  readonly principalId?: string
  /** Only sessions that are open. */
  readonly open?: boolean
  /** Opened before this session id (ids are ordered in time). */
  readonly before?: string
  /** 1 to 1000. */
  readonly limit: number
}

export interface SessionEnd {
  readonly endedAt: number
  readonly reason: string
  readonly bytesUp: number
  readonly bytesDown: number
  readonly digest: string | null
  readonly entries: number
}

/** Rows of `sessions`: one for each permit. */
export function createSessionStore(db: Db) {
  return {
    insert: async (row: SessionRow): Promise<void> => {
      await db.insertInto('sessions').values(row).execute()
    },
    started: async (id: string, at: number, detail: string): Promise<void> => {
      await db.updateTable('sessions').set({ started_at: at, detail }).where('id', '=', id).execute()
    },
    moved: async (ids: readonly string[], endsAt: number): Promise<void> => {
      if (ids.length > 0) await db.updateTable('sessions').set({ ends_at: endsAt }).where('id', 'in', ids).execute()
    },
    ended: async (id: string, end: SessionEnd): Promise<void> => {
      await db
        .updateTable('sessions')
        .set({
          ended_at: end.endedAt,
          end_reason: end.reason,
          bytes_up: end.bytesUp,
          bytes_down: end.bytesDown,
          recording_digest: end.digest,
          recording_entries: end.entries,
        })
        .where('id', '=', id)
        .execute()
    },
    find: (id: string): Promise<SessionRow | undefined> =>
      db.selectFrom('sessions').selectAll().where('id', '=', id).executeTakeFirst(),
    /** Newest first. */
    list: (query: SessionQuery): Promise<SessionRow[]> => {
      let select = db.selectFrom('sessions').selectAll().orderBy('id', 'desc').limit(query.limit)
      if (query.principalId !== undefined) select = select.where('principal_id', '=', query.principalId)
      if (query.open) select = select.where('ended_at', 'is', null)
      if (query.before !== undefined) select = select.where('id', '<', query.before)
      return select.execute()
    },
    /** Sessions left open by a previous run. */
    leftOpen: (daemonId: string): Promise<SessionRow[]> =>
      db.selectFrom('sessions').selectAll().where('ended_at', 'is', null).where('daemon_id', '!=', daemonId).execute(),
  }
}

export type SessionStore = ReturnType<typeof createSessionStore>
