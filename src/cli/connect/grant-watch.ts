import { setTimeout as delay } from 'node:timers/promises'
import { type Ending, EndSchedule } from '../../../proxy/ending.ts'
import { BrokerError } from '../../../proxy/session.ts'
import type { ListedResource, Target } from './target.ts'

/** What is watched of a target, whatever it is reached by. */
export type Watched = Pick<Target, 'id' | 'name' | 'level' | 'endsAt'>

export interface GrantWatchDeps<T extends Watched = Watched> {
  load(): Promise<readonly ListedResource[]>
  now(): number
  /** For people, on stderr. */
  warn(text: string): void
  /** A grant is about to end. */
  onEnding?(target: T, ending: Ending): void
  /** How often the broker is asked when nothing happens; default 30 s. */
  readonly pollMs?: number
}

/** Unless poked, two looks are at least this far apart, also when clocks disagree about the end. */
const minimumMs = 500

/** Notices that a grant has ended, also while no session is open. The broker decides; this only tells. */
export class GrantWatch<T extends Watched = Watched> {
  readonly #deps: GrantWatchDeps<T>
  #poke = new AbortController()
  #unreachable = false
  /** By resource and level. */
  readonly #schedules = new Map<string, EndSchedule>()

  constructor(deps: GrantWatchDeps<T>) {
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
  async run(targets: readonly T[], signal: AbortSignal, onEnded: (target: T) => void): Promise<'ended' | 'stopped'> {
    let live = targets
    for (const { endsAt, ...target } of targets)
      if (endsAt !== null) this.#schedules.set(keyOf(target), new EndSchedule(endsAt, this.#deps.now()))
    while (live.length > 0) {
      await this.#wait(live, signal)
      if (signal.aborted) return 'stopped'
      const resources = await this.#load()
      const seen = live.map((target) => ({ target, grant: this.#grant(resources, target) }))
      for (const { target, grant } of seen) {
        if (!grant) onEnded(target)
        else if (grant.id !== undefined) this.#tellEnding(target, { ...grant, id: grant.id })
      }
      live = seen.flatMap(({ target, grant }) => (grant ? [{ ...target, endsAt: grant.endsAt }] : []))
    }
    return 'ended'
  }

  async #wait(live: readonly Watched[], signal: AbortSignal): Promise<void> {
    const { now, pollMs = 30_000 } = this.#deps
    const dueAt = [...this.#schedules.values()].map((schedule) => schedule.dueAt ?? Number.POSITIVE_INFINITY)
    const untilEnd = Math.min(...live.map((target) => target.endsAt ?? 0), ...dueAt) - now()
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

  /** Only of what the broker has just said: a grant may have been extended. */
  #tellEnding(target: T, { id: grantId, endsAt }: HeldGrant & { readonly id: string }): void {
    const now = this.#deps.now()
    const key = keyOf(target)
    const schedule = this.#schedules.get(key) ?? new EndSchedule(endsAt, now)
    this.#schedules.set(key, schedule)
    schedule.moveTo(endsAt, now)
    const leftMs = schedule.take(now)
    if (leftMs !== undefined) this.#deps.onEnding?.(target, { endsAt, leftMs, grantId })
  }

  /** The one that ends last; undefined: it has ended. */
  #grant(resources: readonly ListedResource[] | undefined, target: Watched): HeldGrant | undefined {
    if (!resources)
      return target.endsAt !== null && target.endsAt > this.#deps.now() ? { endsAt: target.endsAt } : undefined
    const grants = resources.find((r) => r.id === target.id)?.grants ?? []
    return grants.filter(({ level }) => level === target.level).sort((a, b) => b.endsAt - a.endsAt)[0]
  }
}

interface HeldGrant {
  /** Undefined: the broker was not reached. */
  readonly id?: string
  readonly endsAt: number
}

function keyOf({ id, level }: Pick<Watched, 'id' | 'level'>): string {
  return JSON.stringify([id, level])
}

function isFinal(error: BrokerError): boolean {
  const passing = ['STORE_UNAVAILABLE', 'RATE_LIMITED', 'INTERNAL', 'DRAINING', 'AUDIT_UNAVAILABLE']
  return !passing.includes(error.code)
}

function quietly(waiting: Promise<void>): Promise<void> {
  return waiting.catch(() => {}) // woken up; the caller looks at why
}
