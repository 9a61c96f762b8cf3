import { BrokerError } from '../../proxy/session.ts'
import { databaseNow } from '../store/database-clock.ts'
import type { Db } from '../store/store.ts'
import type { Clock } from '../telemetry/clock.ts'
import type { Logger } from '../telemetry/logger.ts'
import type { Leadership } from './leadership.ts'

/** By the clock of the database. */
const leaseMs = 10_000
/** By the clocks of this process, from the moment that it asked; so it stops before another begins. */
const ownMs = 8000

export interface LeaseDeps {
  readonly db: Db
  readonly run: string
  readonly clock: Clock
  readonly logger: Logger
  /** Milliseconds since any fixed moment, not affected by the wall clock. */
  readonly elapsedMs: () => number
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
    const { clock, elapsedMs } = this.#deps
    return elapsedMs() < this.#until.elapsed && clock.now() < this.#until.wall
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

  /** Takes or renews it; called by the daemon's timer. */
  async renew(): Promise<void> {
    const { db, run, clock, elapsedMs, logger } = this.#deps
    const asked = { elapsed: elapsedMs(), wall: clock.now() }
    const now = databaseNow(db)
    const row = await db
      .updateTable('leader')
      .set(({ eb, case: when, ref }) => ({
        run,
        epoch: when()
          .when(eb.and([eb('run', '=', run), eb('expires_at', '>', now)]))
          .then(ref('epoch'))
          .else(eb('epoch', '+', 1))
          .end(),
        expires_at: eb(now, '+', leaseMs),
      }))
      .where('id', '=', 1)
      .where(({ or, eb }) => or([eb('run', '=', run), eb('expires_at', '<=', now)]))
      .returning('epoch')
      .executeTakeFirst()
    if (!row) return this.drop()
    if (row.epoch !== this.#epoch) logger.info({ epoch: row.epoch }, 'this daemon leads')
    this.#epoch = row.epoch
    this.#until = { elapsed: asked.elapsed + ownMs, wall: asked.wall + ownMs }
  }

  /** From now on this daemon does not lead, whatever the store says. */
  drop(): void {
    this.#until = { elapsed: 0, wall: 0 }
  }

  /** Lets another daemon take it at once. */
  async release(): Promise<void> {
    this.drop()
    const { db, run } = this.#deps
    await db.updateTable('leader').set({ expires_at: 0 }).where('id', '=', 1).where('run', '=', run).execute()
  }
}
