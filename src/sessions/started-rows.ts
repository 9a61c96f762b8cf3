import type { CompiledQuery } from 'kysely'
import type { Logger } from '../telemetry/logger.ts'
import type { SessionStart, SessionStore } from './session-store.ts'

/**
 * So that sessions that begin together share a commit, and one that is over by then needs none of its own. Short, since what a daemon
 * that is killed within it had begun at a target cannot be ended by the next one: nothing says which process it is.
 */
const waitMs = 20
const retryMs = 1000

/** What engines reported of sessions that have started, until it is in their rows. */
export class StartedRows {
  readonly #waiting = new Map<string, SessionStart>()
  readonly #store: Pick<SessionStore, 'started' | 'starting'>
  readonly #logger: Logger
  #timer: NodeJS.Timeout | undefined
  #isFailing = false

  constructor(store: Pick<SessionStore, 'started' | 'starting'>, logger: Logger) {
    this.#store = store
    this.#logger = logger
  }

  add(id: string, start: SessionStart): void {
    this.#waiting.set(id, start)
    this.#writeAfter(waitMs)
  }

  /** For the statement that closes the row; undefined: it has been written, or is being written. */
  take(id: string): SessionStart | undefined {
    const start = this.#waiting.get(id)
    this.#waiting.delete(id)
    return start
  }

  /** For a transaction that is about to begin; if it fails, they wait again. */
  takeAll(): { readonly writes: readonly CompiledQuery[]; putBack(): void } {
    const taken = new Map(this.#waiting)
    this.#waiting.clear()
    return {
      writes: [...taken].map(([id, start]) => this.#store.starting(id, start)),
      putBack: () => this.#putBack(taken),
    }
  }

  #putBack(taken: ReadonlyMap<string, SessionStart>): void {
    for (const [id, start] of taken) this.#waiting.set(id, start)
    if (taken.size > 0) this.#writeAfter(retryMs)
  }

  #writeAfter(ms: number): void {
    this.#timer ??= setTimeout(() => void this.#write(), ms).unref() // never rejects
  }

  async #write(): Promise<void> {
    const batch = new Map(this.#waiting)
    this.#waiting.clear()
    this.#timer = undefined
    if (batch.size === 0) return
    try {
      await this.#store.started(batch)
      this.#isFailing = false
    } catch (error) {
      if (!this.#isFailing)
        this.#logger.error({ err: error, count: batch.size }, 'the start of sessions could not be stored; will retry')
      this.#isFailing = true
      this.#putBack(batch)
    }
  }
}
