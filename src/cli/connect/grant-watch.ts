import { setTimeout as delay } from 'node:timers/promises'
import { BrokerError } from '../../../proxy/session.ts'
import type { ListedResource, Target } from './target.ts'

/** What is watched of a target, whatever it is reached by. */
export type Watched = Pick<Target, 'id' | 'name' | 'level' | 'endsAt'>

export interface GrantWatchDeps {
  load(): Promise<readonly ListedResource[]>
  now(): number
  /** For people, on stderr. */
  warn(text: string): void
  /** How often the broker is asked when nothing happens; default 30 s. */
  readonly pollMs?: number
}

/** Unless poked, two looks are at least this far apart, also when clocks disagree about the end. */
const minimumMs = 500

/** Notices that a grant has ended, also while no session is open. The broker decides; this only tells. */
export class GrantWatch {
  readonly #deps: GrantWatchDeps
  #poke = new AbortController()
  #unreachable = false

  constructor(deps: GrantWatchDeps) {
    this.#deps = deps
  }

  /** Look now: a session was just cut. */
  poke(): void {
    this.#poke.abort()
  }

  /**
   * Runs until every target's grant has ended or `signal` fires.
   * @throws BrokerError when the broker no longer knows or allows the person (LOGIN_REQUIRED, PRINCIPAL_LOCKED …)
   */
  async run<T extends Watched>(
    targets: readonly T[],
    signal: AbortSignal,
    onEnded: (target: T) => void,
  ): Promise<'ended' | 'stopped'> {
    let live = targets
    while (live.length > 0) {
      await this.#wait(live, signal)
      if (signal.aborted) return 'stopped'
      const resources = await this.#load()
      const seen = live.map((target) => ({ target, endsAt: this.#grantEnd(resources, target) }))
      for (const { target, endsAt } of seen) if (endsAt === undefined) onEnded(target)
      live = seen.flatMap(({ target, endsAt }) => (endsAt === undefined ? [] : [{ ...target, endsAt }]))
    }
    return 'ended'
  }

  async #wait(live: readonly Watched[], signal: AbortSignal): Promise<void> {
    const { now, pollMs = 30_000 } = this.#deps
    const untilEnd = Math.min(...live.map((target) => target.endsAt ?? 0)) - now()
    await quietly(
      delay(Math.min(pollMs, Math.max(minimumMs, untilEnd)), undefined, {
        signal: AbortSignal.any([signal, this.#poke.signal]),
      }),
    )
    this.#poke = new AbortController()
  }

  /** @returns undefined when the broker did not answer; what is known then counts */
  async #load(): Promise<readonly ListedResource[] | undefined> {
    try {
      const resources = await this.#deps.load()
      this.#unreachable = false
      return resources
    } catch (error) {
      if (!(error instanceof BrokerError) || isFinal(error)) throw error
      if (!this.#unreachable) this.#deps.warn(`cannot check the grants right now: ${error.message}`)
      this.#unreachable = true
      return undefined
    }
  }

  #grantEnd(resources: readonly ListedResource[] | undefined, target: Watched): number | undefined {
    if (!resources) return target.endsAt !== null && target.endsAt > this.#deps.now() ? target.endsAt : undefined
    const grants =
      resources.find((r) => r.id === target.id)?.grants.filter((grant) => grant.level === target.level) ?? []
    return grants.length > 0 ? Math.max(...grants.map((grant) => grant.endsAt)) : undefined
  }
}

function isFinal(error: BrokerError): boolean {
  const passing = ['STORE_UNAVAILABLE', 'RATE_LIMITED', 'INTERNAL', 'DRAINING', 'AUDIT_UNAVAILABLE']
  return !passing.includes(error.code)
}

function quietly(waiting: Promise<void>): Promise<void> {
  return waiting.catch(() => {}) // woken up; the caller looks at why
}
