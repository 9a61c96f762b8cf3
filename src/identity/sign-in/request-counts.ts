import { sql } from 'kysely'
import { BrokerError } from '../../../proxy/session.ts'
import type { Keyring } from '../../store/keyring.ts'
import type { Db } from '../../store/store.ts'
import { type Clock, mostSkewMs } from '../../telemetry/clock.ts'

const mostCounted = 2 ** 52

export interface RequestCountsDeps {
  readonly db: Db
  readonly keyring: Pick<Keyring, 'derive'>
  readonly clock: Clock
}

export interface RequestCount {
  /** Requests in this window, with this one. */
  readonly current: number
  /** Milliseconds until it ends. */
  readonly ttl: number
}

/**
 * Counts a request with those that other daemons on this store have counted, where a limit protects what can be guessed. There
 * are at most 65,536 rows: two callers that by chance share one are limited together.
 * @throws BrokerError STORE_UNAVAILABLE
 */
export async function countRequest(deps: RequestCountsDeps, key: string, windowMs: number): Promise<RequestCount> {
  const { db, keyring, clock } = deps
  const now = clock.now()
  const bucket = keyring.derive('request-count', key).readUInt16BE()
  // A window that ends later than any that begins now, or a count below one, is not of a daemon.
  const isOver = sql<boolean>`(request_counts.until <= ${now} or request_counts.until > ${now + windowMs + mostSkewMs}
    or request_counts.count < 1 or request_counts.count >= ${mostCounted})`
  try {
    const { count, until } = await db
      .insertInto('request_counts')
      .values({ bucket, count: 1, until: now + windowMs })
      .onConflict((conflict) =>
        conflict.column('bucket').doUpdateSet((e) => ({
          count: sql<number>`case when ${isOver} then 1 else request_counts.count + 1 end`,
          until: sql<number>`case when ${isOver} then ${e.ref('excluded.until')} else request_counts.until end`,
        })),
      )
      .returning(['count', 'until'])
      .executeTakeFirstOrThrow()
    return { current: count, ttl: Math.max(0, until - now) }
  } catch (cause) {
    throw cause instanceof BrokerError ? cause : new BrokerError('STORE_UNAVAILABLE', undefined, { cause })
  }
}

/** Removes the counts of windows that are over. */
export async function expireRequestCounts(db: Db, now: number): Promise<void> {
  await db.deleteFrom('request_counts').where('until', '<=', now).execute()
}
