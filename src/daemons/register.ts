import { setTimeout } from 'node:timers/promises'
import { BrokerError } from '../../proxy/session.ts'
import { databaseNow } from '../store/database-clock.ts'
import type { Macs } from '../store/signed-rows.ts'
import { type Db, isShared } from '../store/store.ts'
import { type DaemonRow, isSigned, signRow } from './daemon-tables.ts'

/** What a daemon says of itself. */
export type Registration = Pick<
  DaemonRow,
  'id' | 'run' | 'name' | 'url' | 'version' | 'started_at' | 'patience_ms' | 'key_ids'
>

/** Without a heartbeat for so long a daemon is not asked anything. */
export const silentMs = 15_000
/** Two heartbeats of one that lives. */
const watchMs = 2500
const watchEveryMs = 250
const mostDaemons = 256
/** Rows that are read: those that daemons wrote, and as many more that others did. */
const mostRows = 2 * mostDaemons
const forgottenMs = 30 * 86_400_000

/**
 * Makes or takes over the row of this daemon, with the smallest number that no living one has.
 * @throws BrokerError CONFIG_INVALID while a daemon runs with this `state.dir` or a copy of it; STORE_UNAVAILABLE
 */
export async function register(db: Db, keyring: Macs, own: Registration): Promise<DaemonRow> {
  await refuseCopies(db, own)
  return await db.transaction().execute(async (trx) => {
    // One at a time.
    await trx.updateTable('leader').set({ id: 1 }).where('id', '=', 1).execute()
    const now = databaseNow(trx)
    await trx
      .deleteFrom('daemons')
      .where((row) => (isShared(db) ? row('lost_at', '<', row(now, '-', forgottenMs)) : row('id', '!=', own.id)))
      .execute()
    const earlier = await trx.selectFrom('daemons').select('run').where('id', '=', own.id).executeTakeFirst()
    if (earlier) await trx.updateTable('leader').set({ expires_at: 0 }).where('run', '=', earlier.run).execute()
    const others = (await livingRows(trx)).filter((row) => row.id !== own.id && isSigned(keyring, 'daemons', row))
    const number = freeNumber(others)
    const row = signRow(keyring, 'daemons', { ...own, number, heartbeat_at: 0, lost_at: null, rules_digest: null })
    return await trx
      .insertInto('daemons')
      .values({ ...row, heartbeat_at: now })
      .onConflict((conflict) => conflict.column('id').doUpdateSet({ ...row, heartbeat_at: now }))
      .returningAll()
      .executeTakeFirstOrThrow()
  })
}

/** Of those that were not given up, the last heard first: signed by daemons, or not. */
async function livingRows(db: Db): Promise<DaemonRow[]> {
  return await selectLiving(db).execute()
}

/**
 * A heartbeat, and {@link livingRows}, in one statement: over a slow way two would take twice as long.
 * @returns when it was, by the clock of the database; null: the row is of another run, given up or gone
 */
export async function beat(
  db: Db,
  { id, run }: Pick<DaemonRow, 'id' | 'run'>,
): Promise<{ beaten: number | null; rows: DaemonRow[] }> {
  const own = db
    .updateTable('daemons')
    .set({ heartbeat_at: databaseNow(db) })
    .where('id', '=', id)
    .where('run', '=', run)
    .where('lost_at', 'is', null)
    .returning('heartbeat_at as beaten_at')
  const rows = await db
    .with('beat', () => own)
    .selectFrom('daemons')
    .leftJoin('beat', (join) => join.onTrue())
    .selectAll('daemons')
    .select('beat.beaten_at')
    .where('lost_at', 'is', null)
    .orderBy('heartbeat_at', 'desc')
    .limit(mostRows)
    .execute()
  return { beaten: rows[0]?.beaten_at ?? null, rows: rows.map(({ beaten_at, ...row }) => row) }
}

/** Those that have shown it a moment ago, by rows that daemons wrote. */
export async function beatingRows(db: Db, keyring: Macs): Promise<DaemonRow[]> {
  const isBeating = selectLiving(db).where((row) => row('heartbeat_at', '>', row(databaseNow(db), '-', silentMs)))
  return (await isBeating.execute()).filter((row) => isSigned(keyring, 'daemons', row))
}

function selectLiving(db: Db) {
  return db
    .selectFrom('daemons')
    .selectAll()
    .where('lost_at', 'is', null)
    .orderBy('heartbeat_at', 'desc')
    .limit(mostRows)
}

function freeNumber(living: readonly DaemonRow[]): number {
  const taken = new Set(living.map(({ number }) => number))
  for (let number = 0; number < mostDaemons; number++) if (!taken.has(number)) return number
  throw new BrokerError('STORE_UNAVAILABLE', `${mostDaemons} daemons use it already`)
}

/**
 * A daemon that beats with this id, here or on another machine, is not pushed out. One that was killed here has a successor once it has
 * missed two heartbeats; of one that ran elsewhere it is watched for as long that it is gone.
 */
async function refuseCopies(db: Db, { id, name }: Registration): Promise<void> {
  if (!isShared(db)) return
  const first = await seen(db, id)
  if (!first || first.lost_at !== null || first.now - first.heartbeat_at >= silentMs) return
  const silence = Math.max(first.now - first.heartbeat_at, 0)
  for (let left = watchMs - (first.name === name ? silence : 0); left > 0; left -= watchEveryMs) {
    await setTimeout(watchEveryMs)
    const next = await seen(db, id)
    if (!next || next.lost_at !== null) return
    if (next.heartbeat_at !== first.heartbeat_at) throw inUse(first.name, id)
  }
}

function inUse(name: string, id: string): BrokerError {
  return new BrokerError(
    'CONFIG_INVALID',
    `state.dir: a daemon on ${name} runs with it, or with a copy of it, as ${id}`,
    {
      hint: 'Each daemon needs a state.dir of its own: start another one with an empty folder.',
    },
  )
}

function seen(db: Db, id: string) {
  return db
    .selectFrom('daemons')
    .select(['name', 'lost_at', 'heartbeat_at', databaseNow(db).as('now')])
    .where('id', '=', id)
    .executeTakeFirst()
}
