import { sql } from 'kysely'
import { BrokerError } from '../../proxy/session.ts'
import { databaseNow } from '../store/database-clock.ts'
import type { Db } from '../store/store.ts'
import type { Clock } from '../telemetry/clock.ts'
import type { Logger } from '../telemetry/logger.ts'
import type { ClockSkew } from './clock-skew.ts'
import type { Leadership } from './leadership.ts'

/** By the clock of the database. */
const leaseMs = 10_000
/** By the clocks of this process, from the moment that it asked; so it stops before another begins. */
const ownMs = 8000

/** They are counted anew then: whatever the row says, there is a next one. */
const mostEpochs = 2 ** 52

export interface LeaseDeps {
  readonly db: Db
  readonly run: string
  readonly clock: Clock
  readonly logger: Logger
  /** Milliseconds since any fixed moment, not affected by the wall clock. */
  readonly elapsedMs: () => number
  readonly skew: Pick<ClockSkew, 'problem'>
}

/** One of the daemons on a store leads: who renews the lease in time, or finds that it has run out. */
export class LeaderLease implements Leadership {
  readonly #deps: LeaseDeps
  #epoch = 0
  /** Both must be ahead: one clock stands still while the machine sleeps, the other can be set. */
  #until = { elapsed: 0, wall: 0 }

  constructor(deps: LeaseDeps) {
    this.#deps = deps
  }

  get isLeader(): boolean {
    const { clock, elapsedMs, skew } = this.#deps
    return elapsedMs() < this.#until.elapsed && clock.now() < this.#until.wall && skew.problem === undefined
  }

  /** Counts those who led; 0: none yet. */
  get epoch(): number {
    return this.#epoch
  }

  check(): void {
    if (!this.isLeader) throw new BrokerError('NOT_LEADER')
  }

  claim() {
    const { db, run } = this.#deps
    return db
      .updateTable('leader')
      .set({ epoch: this.#epoch }) // an update, so that no other daemon takes it until this is committed
      .where('id', '=', 1)
      .where('run', '=', run)
      .where('epoch', '=', this.#epoch)
      .where('expires_at', '>', databaseNow(db))
      .returning('epoch')
      .compile()
  }

  /**
   * Takes or renews it; called by the daemon's timer. No daemon makes a lease that is longer than it may be: one that says so is void.
   * @returns the run that has it
   */
  async renew(): Promise<string | undefined> {
    const { db, run, clock, elapsedMs, logger } = this.#deps
    const asked = { elapsed: elapsedMs(), wall: clock.now() }
    const now = databaseNow(db)
    const overlong = sql<number>`${now} + ${2 * leaseMs}`
    const row = await db
      .updateTable('leader')
      .set(({ eb, case: when, ref }) => ({
        run,
        epoch: when()
          .when(eb.and([eb('run', '=', run), eb('expires_at', '>', now)]))
          .then(ref('epoch'))
          .else(sql<number>`${ref('epoch')} % ${mostEpochs} + 1`)
          .end(),
        expires_at: eb(now, '+', leaseMs),
      }))
      .where('id', '=', 1)
      .where(({ or, eb }) => or([eb('run', '=', run), eb('expires_at', '<=', now), eb('expires_at', '>', overlong)]))
      .returning('epoch')
      .executeTakeFirst()
    if (!row) {
      this.drop()
      return await this.#holder()
    }
    if (row.epoch !== this.#epoch) logger.info({ epoch: row.epoch }, 'this daemon leads')
    this.#epoch = row.epoch
    this.#until = { elapsed: asked.elapsed + ownMs, wall: asked.wall + ownMs }
    return run
  }

  /** Makes the row anew where it was deleted: the next renewal takes it. */
  async #holder(): Promise<string | undefined> {
    const { db } = this.#deps
    const row = await db.selectFrom('leader').select('run').where('id', '=', 1).executeTakeFirst()
    if (row) return row.run
    const free = db.insertInto('leader').values({ id: 1, run: '', epoch: 0, expires_at: 0 })
    await free.onConflict((conflict) => conflict.column('id').doNothing()).execute()
    return undefined
  }

  /** From now on this daemon does not lead, whatever the store says. */
  drop(): void {
    this.#until = { elapsed: 0, wall: 0 }
  }

  /** Lets another daemon take it at once. @returns the run that has it, or had it last */
  async release(): Promise<string | undefined> {
    this.drop()
    const { db, run } = this.#deps
    await db.updateTable('leader').set({ expires_at: 0 }).where('id', '=', 1).where('run', '=', run).execute()
    return await this.#holder()
  }
}
