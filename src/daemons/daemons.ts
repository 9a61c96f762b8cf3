import type { CompiledQuery } from 'kysely'
import { BrokerError } from '../../proxy/session.ts'
import { databaseNow } from '../store/database-clock.ts'
import type { Macs } from '../store/signed-rows.ts'
import { besideQueue, type Db, isShared } from '../store/store.ts'
import { writeProblem } from '../store/write-problem.ts'
import type { Clock } from '../telemetry/clock.ts'
import type { Logger } from '../telemetry/logger.ts'
import type { Metrics } from '../telemetry/metrics.ts'
import { ClockSkew } from './clock-skew.ts'
import { type DaemonRow, isSigned, signRow } from './daemon-tables.ts'
import { LeaderLease } from './leader-lease.ts'
import { type Leadership, soleLeader } from './leadership.ts'
import { beat, type Registration, register, silentMs } from './register.ts'

export interface DaemonsDeps {
  readonly db: Db
  readonly keyring: Macs
  readonly clock: Clock
  /** That by which grants end here. */
  readonly steadyClock: Clock
  readonly logger: Logger
  readonly metrics: Pick<Metrics, 'daemons' | 'isLeader' | 'clockSkewSeconds'>
  readonly own: Registration
  /** Milliseconds since any fixed moment; default `performance.now`. */
  readonly elapsedMs?: () => number
}

/** `lost`: another daemon found it silent, and closed its sessions. `replaced`: another process runs with its `state.dir`. */
export type Fenced = 'lost' | 'replaced'

/** Ids of daemons. */
export interface Gone {
  /** Given up for lost, and not seen again. */
  readonly lost: readonly string[]
  /** That have no row: of a version without it, or ended. */
  readonly unknown: readonly string[]
}

/** A longer pause of one's own heartbeat says nothing of the others'. */
const gapMs = 5000
/** A lease runs out after 10 s, and another daemon takes it two seconds later. */
const leaderlessMs = 30_000
/** Without a heartbeat for so long the store is not only slow. */
const longestSilenceMs = 5000

/** The daemons on one store, seen from this one. On a store that it has for itself it is the only one. */
export class Daemons {
  readonly leader: Leadership
  readonly #deps: DaemonsDeps
  /** Beside the queue of decisions, which may be long. */
  readonly #db: Db
  readonly #elapsedMs: () => number
  readonly #lease: LeaderLease | undefined
  #row: DaemonRow
  #rows: readonly DaemonRow[] = []
  /** By the own clock: when one of the living daemons was last seen to lead. */
  #ledAt: number
  readonly #skew: ClockSkew
  /** By the own clock: since when, and until when, heartbeats have followed each other. */
  #beating: { since: number; last: number }
  /** By the own clock: when the store took the last heartbeat. */
  #answeredAt: number
  /** Of the last heartbeat. */
  #failure: unknown
  #fenced: Fenced | undefined
  #onFenced: (why: Fenced) => void = () => {}

  private constructor(deps: DaemonsDeps, row: DaemonRow) {
    const { db, elapsedMs = () => performance.now() } = deps
    this.#deps = deps
    this.#row = row
    this.#db = besideQueue(db)
    this.#elapsedMs = elapsedMs
    this.#beating = { since: elapsedMs(), last: elapsedMs() }
    this.#answeredAt = elapsedMs()
    this.#ledAt = elapsedMs()
    const skew = new ClockSkew({ ...deps, elapsedMs })
    this.#skew = skew
    this.#lease = isShared(db) ? new LeaderLease({ ...deps, db: this.#db, run: row.run, elapsedMs, skew }) : undefined
    this.leader = this.#lease ?? soleLeader(db)
    deps.metrics.isLeader.set(this.#lease ? 0 : 1)
  }

  /** @throws BrokerError what {@link register} throws */
  static async join(deps: DaemonsDeps): Promise<Daemons> {
    const daemons = new Daemons(deps, await register(deps.db, deps.keyring, deps.own))
    await daemons.beat()
    await daemons.lead()
    return daemons
  }

  get id(): string {
    return this.#row.id
  }

  /** In ids that are shown to clients. */
  get number(): number {
    return this.#row.number
  }

  /** Whether there may be others. */
  get isShared(): boolean {
    return this.#lease !== undefined
  }

  /** The other daemons that live, as of the last heartbeat. */
  get others(): readonly DaemonRow[] {
    return this.#rows.filter((row) => row.id !== this.id && !this.#isSilent(row) && this.#isGenuine(row))
  }

  get fenced(): Fenced | undefined {
    return this.#fenced
  }

  /** Called once, when this daemon must end all that it does. */
  set onFenced(listener: (why: Fenced) => void) {
    this.#onFenced = listener
    if (this.#fenced) listener(this.#fenced)
  }

  /** Why this daemon must let nobody in. */
  problems(): string[] {
    const { problem } = this.#skew
    const notTaken = writeProblem(this.#failure)
    return [
      ...(notTaken === undefined ? [] : [notTaken]),
      ...(this.#fenced ? ['other daemons have given this one up for lost'] : []),
      ...(problem === undefined ? [] : [problem]),
    ]
  }

  /** Before what depends on an instant is decided. @throws BrokerError CLOCK_WRONG */
  requireClock(): void {
    this.#skew.require()
  }

  /** What operators should see to. */
  warnings(): string[] {
    const ids = this.#othersRules().map(({ id }) => id)
    const rules =
      ids.length === 0 ? [] : [`the rules in force here are not those of ${ids.join(', ')}: reload or restart`]
    const isLed = !this.#lease || this.#elapsedMs() - this.#ledAt < leaderlessMs
    return isLed
      ? rules
      : [...rules, 'no daemon leads: what expires is not written down, and deny lists in AWS are not changed']
  }

  /** Shows that this daemon lives, and sees who else does; called each second by its timer. */
  async beat(): Promise<void> {
    if (!this.#lease || this.#fenced) return
    const asked = this.#elapsedMs()
    try {
      const { beaten, rows } = await beat(this.#db, this.#row)
      this.#failure = undefined
      if (beaten === null) return await this.#fence()
      this.#answeredAt = this.#elapsedMs()
      this.#skew.measure(beaten, asked)
      this.#deps.metrics.clockSkewSeconds.set(this.#skew.ms / 1000)
      const isGap = asked - this.#beating.last > gapMs
      this.#beating = { since: isGap ? asked : this.#beating.since, last: asked }
      this.#row = { ...this.#row, heartbeat_at: beaten }
      this.#see(rows.map((row) => (row.id === this.id ? this.#row : row)))
    } catch (error) {
      this.#failure = error
      throw error
    }
  }

  /** How long ago a heartbeat was asked for that the store took. */
  get ageMs(): number {
    return this.#elapsedMs() - this.#beating.last
  }

  /** @throws BrokerError STORE_UNAVAILABLE when the store does not take heartbeats: to the others this daemon is silent */
  requireBeaten(): void {
    if (this.#failure !== undefined)
      throw new BrokerError('STORE_UNAVAILABLE', (this.#failure as Error).message, { cause: this.#failure })
    const silenceMs = this.#elapsedMs() - this.#answeredAt
    if (silenceMs > longestSilenceMs)
      throw new BrokerError('STORE_UNAVAILABLE', `no heartbeat for ${Math.round(silenceMs)} ms`)
  }

  /**
   * Takes or renews the lease of the leader, or leaves it to another while the clock here is wrong; called every two seconds by the
   * daemon's timer.
   */
  async lead(): Promise<void> {
    if (!this.#lease || this.#fenced) return
    if (this.#skew.problem !== undefined) await this.beat() // it may be mended
    const led = this.#skew.problem === undefined ? await this.#lease.renew() : await this.#lease.release()
    const isOfAnother = this.others.some(({ run }) => run === led)
    if (this.leader.isLeader || isOfAnother) this.#ledAt = this.#elapsedMs()
    this.#deps.metrics.isLeader.set(this.leader.isLeader ? 1 : 0)
  }

  /**
   * Gives up for lost who has had no heartbeat for as long as its row says; where no daemon signed the row, for as long as one's own
   * does. After a pause of the whole store nobody is: one's own heartbeats must have followed each other for as long.
   * @param giveUp commits the claim, which returns no row when that daemon beats again, or another was faster; false then
   * @returns those that were given up
   */
  async findLost(giveUp = (_: DaemonRow, claim: CompiledQuery) => returnsRow(this.#db, claim)): Promise<DaemonRow[]> {
    const lost: DaemonRow[] = []
    const beatingMs = this.#beating.last - this.#beating.since
    for (const row of this.#rows) {
      const silence = this.#silenceOf(row)
      const isAhead = row.heartbeat_at > this.#row.heartbeat_at
      const { patience_ms: patience } = this.#isGenuine(row) ? row : this.#row
      if (row.id === this.id || silence < patience || beatingMs < patience) continue
      const claim = this.#db
        .updateTable('daemons')
        .set({ lost_at: databaseNow(this.#db) })
        .where('id', '=', row.id)
        .where('run', '=', row.run)
        .where('heartbeat_at', isAhead ? '>=' : '=', Math.min(row.heartbeat_at, Number.MAX_SAFE_INTEGER))
        .where('lost_at', 'is', null)
        .returning('id')
        .compile()
      if (!(await giveUp(row, claim))) continue
      lost.push(row)
      this.#deps.logger.error({ daemon: row.id, name: row.name, silence }, 'a daemon is lost: its sessions are closed')
    }
    return lost
  }

  /** Of these ids of daemons, those whose sessions nobody holds any more. */
  async gone(ids: readonly string[]): Promise<Gone> {
    if (ids.length === 0) return { lost: [], unknown: [] }
    const rows = await this.#db.selectFrom('daemons').select(['id', 'lost_at']).where('id', 'in', ids).execute()
    const lost = rows.filter(({ lost_at }) => lost_at !== null).map(({ id }) => id)
    return { lost, unknown: ids.filter((id) => !rows.some((row) => row.id === id)) }
  }

  /** Tells the others which rules are in force here. */
  async rulesAre(digest: string): Promise<void> {
    const { keyring } = this.#deps
    this.#row = { ...this.#row, ...signRow(keyring, 'daemons', { ...this.#row, rules_digest: digest }) }
    const { mac } = this.#row
    await this.#db
      .updateTable('daemons')
      .set({ rules_digest: digest, mac })
      .where('id', '=', this.id)
      .where('run', '=', this.#row.run)
      .execute()
  }

  /** Its sessions have ended: it is neither looked for nor given up for lost. */
  async leave(): Promise<void> {
    if (this.#fenced || !this.#lease) return
    await this.#lease.release()
    await this.#db.deleteFrom('daemons').where('id', '=', this.id).where('run', '=', this.#row.run).execute()
  }

  async #fence(): Promise<void> {
    this.#lease?.drop()
    const now = await this.#db.selectFrom('daemons').selectAll().where('id', '=', this.id).executeTakeFirst()
    if (this.#fenced) return // by a heartbeat beside this one
    this.#fenced = now && now.run !== this.#row.run && this.#isGenuine(now) ? 'replaced' : 'lost'
    this.#onFenced(this.#fenced)
  }

  #see(rows: readonly DaemonRow[]): void {
    const before = this.#othersRules().length
    this.#rows = rows
    const differ = this.#othersRules()
    const { metrics, logger } = this.#deps
    const genuine = rows.filter((row) => this.#isGenuine(row))
    const silent = genuine.filter((row) => this.#isSilent(row)).length
    metrics.daemons.set({ state: 'live' }, genuine.length - silent)
    metrics.daemons.set({ state: 'silent' }, silent)
    metrics.daemons.set({ state: 'rules-differ' }, differ.length)
    if (before === 0 && differ.length > 0) logger.warn({ daemons: differ.map(({ name }) => name) }, this.warnings()[0])
  }

  #othersRules(): DaemonRow[] {
    const own = this.#row.rules_digest
    return this.others.filter(({ rules_digest }) => own !== null && rules_digest !== null && rules_digest !== own)
  }

  #isSilent(row: DaemonRow): boolean {
    return this.#silenceOf(row) >= silentMs
  }

  /** A heartbeat that is ahead is none: all are by one clock. */
  #silenceOf({ heartbeat_at }: DaemonRow): number {
    return Math.abs(this.#row.heartbeat_at - heartbeat_at)
  }

  #isGenuine(row: DaemonRow): boolean {
    return isSigned(this.#deps.keyring, 'daemons', row)
  }
}

/** Whether a claim that is run by itself holds. */
export async function returnsRow(db: Db, claim: CompiledQuery): Promise<boolean> {
  return (await db.executeQuery(claim)).rows.length > 0
}
