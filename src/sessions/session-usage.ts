import { sql } from 'kysely'
import type { Db } from '../store/store.ts'

/** What the books say of the sessions of a grant. It gives nothing, and the rows are not checked for their MACs. */
export interface GrantUse {
  /** That reached their target. */
  readonly sessions: number
  readonly open: number
  /** Epoch milliseconds. */
  readonly firstAt: number
  /** The latest start or end. */
  readonly lastAt: number
}

/** @returns by the ids of the grants; those without a session are left out */
export type ReadGrantUse = (grantIds: readonly string[]) => Promise<ReadonlyMap<string, GrantUse>>

export function createGrantUse(db: Db): ReadGrantUse {
  return async (grantIds) => {
    if (grantIds.length === 0) return new Map()
    const rows = await db
      .selectFrom('sessions')
      .select(({ fn }) => [
        'grant_id',
        fn.countAll<number>().as('sessions'),
        sql<number>`sum(case when ended_at is null then 1 else 0 end)`.as('open'),
        fn.min('started_at').as('first_at'),
        sql<number>`max(coalesce(ended_at, started_at))`.as('last_at'),
      ])
      .where('grant_id', 'in', grantIds)
      .where('started_at', 'is not', null)
      .groupBy('grant_id')
      .execute()
    return new Map(
      rows.map(({ grant_id, sessions, open, first_at, last_at }) => [
        grant_id,
        { sessions: Number(sessions), open: Number(open), firstAt: Number(first_at), lastAt: Number(last_at) },
      ]),
    )
  }
}

/** One session under a grant that reached its target. */
export interface GrantSession {
  readonly id: string
  readonly grantId: string
  readonly startedAt: number
  /** Null: it is open. */
  readonly endedAt: number | null
  readonly entries: number
}

/** Newest first. @returns `isWhole` false: there are more than so many */
export type ReadGrantSessions = (
  grantId: string,
  most: number,
) => Promise<{ readonly sessions: readonly GrantSession[]; readonly isWhole: boolean }>

export function createGrantSessions(db: Db): ReadGrantSessions {
  return async (grantId, most) => {
    const rows = await db
      .selectFrom('sessions')
      .select(['id', 'started_at', 'ended_at', 'recording_entries'])
      .where('grant_id', '=', grantId)
      .where('started_at', 'is not', null)
      .orderBy('id', 'desc')
      .limit(most + 1)
      .execute()
    const sessions = rows.slice(0, most).map(({ id, started_at, ended_at, recording_entries }) => ({
      id,
      grantId,
      startedAt: started_at ?? 0,
      endedAt: ended_at,
      entries: recording_entries,
    }))
    return { sessions, isWhole: rows.length <= most }
  }
}
