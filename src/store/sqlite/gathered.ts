import type { CompiledQuery } from 'kysely'
import { inLane, type Lane, laneNow } from '../lanes.ts'
import type { NamedResult } from './named-rows.ts'
import type { SqliteFailure } from './sqlite-worker.ts'

interface Waiting {
  readonly query: CompiledQuery
  resolve(result: NamedResult): void
  reject(error: Error): void
}

interface ReaderDeps {
  /** Resolves when it is the turn of the caller's lane. */
  acquire(): Promise<void>
  release(): void
  run(queries: readonly CompiledQuery[]): Promise<readonly (NamedResult | SqliteFailure)[]>
}

/** Of the books it is one at a time, so that a decision never waits for many of them. */
const mostAtOnce: Record<Lane, number> = { decisions: 16, books: 1 }

/** Reads outside of transactions: those that are asked for at the same time, or wait for the same turn, share one message. */
export class Gathered {
  readonly #deps: ReaderDeps
  readonly #waiting: Record<Lane, Waiting[]> = { decisions: [], books: [] }

  constructor(deps: ReaderDeps) {
    this.#deps = deps
  }

  read(query: CompiledQuery): Promise<NamedResult> {
    const { promise, resolve, reject } = Promise.withResolvers<NamedResult>()
    const lane = laneNow()
    this.#waiting[lane].push({ query, resolve, reject })
    if (this.#waiting[lane].length === 1) void this.#next(lane) // never rejects
    return promise
  }

  /** One message; what waits behind it has a turn of its own. */
  async #next(lane: Lane): Promise<void> {
    await inLane(lane, () => this.#deps.acquire())
    await new Promise<void>((resolve) => process.nextTick(resolve)) // once all that runs now has asked
    const batch = this.#waiting[lane].splice(0, mostAtOnce[lane])
    if (this.#waiting[lane].length > 0) void this.#next(lane)
    try {
      const results = await this.#deps.run(batch.map(({ query }) => query))
      batch.forEach((waiting, i) => {
        settle(waiting, results[i])
      })
    } catch (error) {
      for (const waiting of batch) waiting.reject(error as Error)
    } finally {
      this.#deps.release()
    }
  }
}

function settle({ resolve, reject }: Waiting, result: NamedResult | SqliteFailure | undefined): void {
  if (result === undefined) reject(new Error('the store gave no answer'))
  else if ('error' in result) reject(Object.assign(new Error(result.error.message), { code: result.error.code }))
  else resolve(result)
}
