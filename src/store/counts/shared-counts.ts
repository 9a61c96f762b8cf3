import { sql } from 'kysely'
import { type Clock, mostSkewMs } from '../../telemetry/clock.ts'
import type { Keyring } from '../keyring.ts'
import { type Db, isShared } from '../store.ts'
import { Counter, type Counts, mostCounted, type Window } from './counter.ts'

/** Made in src/store/migrations/0011-shared-counts.ts. Rows that a daemon forges limit someone until their end, or one limit less. */
export interface CountTables {
  shared_counts: {
    /** Keyed digest of what is counted, and for whom. */
    key: string
    daemon_id: string
    amount: number
    /** End of its window, epoch milliseconds. */
    until: number
  }
}

declare module '../schema.ts' {
  interface Database extends CountTables {}
}

export interface SharedCountsDeps {
  readonly db: Db
  readonly keyring: Pick<Keyring, 'derive'>
  readonly clock: Clock
  readonly daemonId: string
}

/** Of a limit: each daemon tells the others whenever so much of it was used there. */
const part = 20
const mostRows = 1000
const mostRead = 10_000
const longestMs = 86_400_000
const mostAmount = 2 ** 52

/**
 * Counts of the daemons on one store. What is counted costs no round trip: once a second each daemon writes how much of which limit was
 * used at it, where that is a twentieth of the limit more than it has said, and reads what the others wrote.
 */
export class SharedCounts implements Counts {
  readonly #deps: SharedCountsDeps
  readonly #isShared: boolean
  /** What others have yet to be told, by digest. */
  readonly #grown = new Map<string, Window>()
  #elsewhere: ReadonlyMap<string, Pick<Window, 'amount' | 'until'>> = new Map()

  constructor(deps: SharedCountsDeps) {
    this.#deps = deps // not beside the queue: heartbeat and feed have few connections there
    this.#isShared = isShared(deps.db)
  }

  get clock(): Clock {
    return this.#deps.clock
  }

  counter(name: string, max: number, mostKeys = mostCounted): Counter {
    const { clock, keyring } = this.#deps
    if (!this.#isShared) return new Counter({ clock, mostKeys })
    const digest = (key: string) => keyring.derive('shared-count', `${name}\0${key}`).toString('base64url')
    return new Counter({
      clock,
      mostKeys,
      step: Math.max(1, Math.floor(max / part)),
      elsewhere: (key) => {
        if (this.#elsewhere.size === 0) return undefined // as nearly always
        const found = this.#elsewhere.get(digest(key))
        return found && found.until > clock.now() ? found : undefined
      },
      onGrown: (key, window) => {
        if (this.#grown.size < mostRead) this.#grown.set(digest(key), window)
      },
    })
  }

  /** Called each second by the daemon's timer. */
  async exchange(): Promise<void> {
    if (!this.#isShared) return
    const grown = [...this.#grown].slice(0, mostRows)
    for (const [key, window] of grown) if (window.until <= this.#deps.clock.now()) this.#grown.delete(key)
    const telling = grown.filter(([key]) => this.#grown.has(key)).map(([key, window]) => ({ key, window, ...window }))
    if (telling.length > 0) await this.#write(telling)
    for (const { key, window, amount } of telling) {
      window.told = amount
      this.#grown.delete(key)
    }
    this.#elsewhere = await this.#read()
  }

  /** Removes what is over. */
  async sweep(): Promise<void> {
    if (!this.#isShared) return
    const { db, clock } = this.#deps
    await db.deleteFrom('shared_counts').where('until', '<=', clock.now()).execute()
  }

  async #write(telling: readonly { key: string; amount: number; until: number }[]): Promise<void> {
    const { db, daemonId } = this.#deps
    await db
      .insertInto('shared_counts')
      .values(telling.map(({ key, amount, until }) => ({ key, daemon_id: daemonId, amount, until })))
      .onConflict((conflict) =>
        conflict.columns(['key', 'daemon_id']).doUpdateSet((row) => ({
          amount: row.ref('excluded.amount'),
          until: row.ref('excluded.until'),
        })),
      )
      .execute()
  }

  async #read(): Promise<ReadonlyMap<string, Pick<Window, 'amount' | 'until'>>> {
    const { db, clock, daemonId } = this.#deps
    const now = clock.now()
    const rows = await db
      .selectFrom('shared_counts')
      .select(['key', sql<number>`least(sum(amount), ${mostAmount})::int8`.as('amount')])
      .select(({ fn }) => fn.max('until').as('until'))
      .where('daemon_id', '!=', daemonId)
      .where('until', '>', now)
      .where('until', '<', now + longestMs + mostSkewMs) // beyond it, or below one, no daemon wrote it
      .where('amount', '>', 0)
      .groupBy('key')
      .limit(mostRead)
      .execute()
    return new Map(rows.map(({ key, ...window }) => [key, window]))
  }
}
