import type { Keyring } from '../../store/keyring.ts'
import type { Clock } from '../../telemetry/clock.ts'
import { MarkFile, type MarkState } from './mark-file.ts'
import { type RemovalWindows, type Since, type StandingRemovals, sinceOf } from './standing-removals.ts'

/** An event that is in the log. */
export interface Logged {
  readonly seq: number
  readonly at: number
  readonly type: string
  readonly hash: string
}

export interface MarkDeps {
  readonly stateDir: string
  readonly keyring: Pick<Keyring, 'mac' | 'checkMac'>
  readonly clock: Clock
  readonly windows: RemovalWindows
}

/** What a mark says at first. */
export interface MarkStart extends Pick<MarkState, 'mark' | 'installation' | 'count' | 'seq' | 'hash' | 'checkpoint'> {
  /** Of the file that is there, to write it to; undefined: the file is made anew. */
  readonly slot: number | undefined
}

/** Moves the mark forward while the daemon runs. */
export class Mark {
  readonly #deps: MarkDeps
  readonly #file: MarkFile
  readonly #removals: StandingRemovals
  #state: MarkState
  #writing: Promise<unknown> = Promise.resolve()

  private constructor(deps: MarkDeps, file: MarkFile, state: MarkState, removals: StandingRemovals) {
    this.#deps = deps
    this.#file = file
    this.#state = state
    this.#removals = removals
  }

  /**
   * Opens the mark for what was judged good, or makes it.
   * @param standing the removals of the log up to there
   */
  static async open(deps: MarkDeps, { slot, ...start }: MarkStart, standing: StandingRemovals): Promise<Mark> {
    const { since, digest: removals } = standing
    const state: MarkState = {
      ...start,
      v: 1,
      count: start.count + 1,
      at: deps.clock.now(),
      since,
      removals,
      damage: null,
    }
    return new Mark(deps, await MarkFile.open(deps.stateDir, deps.keyring, state, slot), state, standing)
  }

  get id(): string {
    return this.#state.mark
  }

  /** For a daemon that joins, which has no mark yet. */
  get state(): MarkState {
    return this.#state
  }

  /** Resolves when the mark is at the last of these events, which are in the log. */
  advance(events: readonly Logged[]): Promise<void> {
    const last = events.at(-1)
    if (!last) return Promise.resolve()
    for (const event of events) this.#removals.add(event)
    return this.#write({ seq: last.seq, hash: last.hash, ...this.#standing() })
  }

  /** The checkpoint is in the store; a later one may be known. */
  noteCheckpoint(n: number): Promise<void> {
    this.#removals.forget(this.#since())
    return this.#write({ checkpoint: Math.max(n, this.#state.checkpoint), ...this.#standing() })
  }

  /** The log does not verify: the next start stays closed. */
  noteDamage(what: string): Promise<void> {
    return this.#write({ damage: what.slice(0, 300) })
  }

  async close(): Promise<void> {
    await this.#writing.catch(() => undefined) // reported to whom it concerned
    await this.#file.close()
  }

  #since(): Since {
    return sinceOf(this.#deps.windows, this.#deps.clock.now())
  }

  #standing(): Pick<MarkState, 'since' | 'removals'> {
    return { since: this.#removals.since, removals: this.#removals.digest }
  }

  /** One at a time; each on top of the one before, also where that could not be written. */
  #write(change: Partial<MarkState>): Promise<void> {
    const { count } = this.#state
    this.#state = { ...this.#state, ...change, count: count + 1, at: this.#deps.clock.now() }
    const state = this.#state
    const written = this.#writing.then(
      () => this.#file.write(state),
      () => this.#file.write(state),
    )
    this.#writing = written
    return written
  }
}
