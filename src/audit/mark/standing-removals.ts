import { createHash } from 'node:crypto'
import type { Keyring } from '../../store/keyring.ts'
import type { AuditType } from '../audit.ts'

/** What recovery at start goes by: how far back the removals of each type matter, in milliseconds. */
export type RemovalWindows = Readonly<Partial<Record<AuditType, number>>>

/** By type: from when on its events count, epoch milliseconds. */
export type Since = Readonly<Record<string, number>>

const dayMs = 86_400_000

/** The beginning of a day for each type; 0 for what always matters. */
export function sinceOf(windows: RemovalWindows, now: number): Since {
  const start = (window: number) =>
    window === Number.POSITIVE_INFINITY ? 0 : Math.max(0, Math.floor((now - window) / dayMs) * dayMs)
  return Object.fromEntries(Object.entries(windows).map(([type, window]) => [type, start(window)]))
}

/** An event that takes something away. */
export interface Removal {
  readonly type: string
  /** Epoch milliseconds. */
  readonly at: number
  readonly hash: string
  /** {@link memberOf} its hash, where that was made before. */
  readonly member?: bigint
}

const modulus = 1n << 256n
const purpose = 'standing-removals'

/** What an event adds to a digest. */
export function memberOf(keyring: Pick<Keyring, 'mac'>, eventHash: string): bigint {
  return BigInt(`0x${createHash('sha256').update(keyring.mac(purpose, eventHash)).digest('hex')}`)
}

/**
 * A digest of the removals that matter at start, whatever their order: the sum of their MACs, itself under a MAC. What has
 * become too old is taken away by whole days, so that memory does not grow with the log.
 */
export class StandingRemovals {
  readonly #keyring: Pick<Keyring, 'mac'>
  #since: Since
  /** By type, then by day. */
  readonly #days = new Map<string, Map<number, bigint>>()
  #sum = 0n
  #digest: string | undefined

  constructor(keyring: Pick<Keyring, 'mac'>, since: Since) {
    this.#keyring = keyring
    this.#since = since
  }

  get since(): Since {
    return this.#since
  }

  get digest(): string {
    this.#digest ??= this.#keyring.mac(purpose, this.#sum.toString(16))
    return this.#digest
  }

  add({ type, at, hash, member }: Removal): void {
    const since = this.#since[type]
    if (since === undefined || at < since) return
    const value = member ?? memberOf(this.#keyring, hash)
    const days = this.#days.get(type) ?? new Map<number, bigint>()
    this.#days.set(type, days)
    const day = Math.floor(at / dayMs)
    days.set(day, (days.get(day) ?? 0n) + value)
    this.#change(value)
  }

  /** Drops the days before. A type never counts from an earlier day than it did. */
  forget(since: Since): void {
    const later = Object.entries(since).filter(([type, start]) => start > (this.#since[type] ?? start))
    if (later.length === 0) return
    this.#since = { ...this.#since, ...Object.fromEntries(later) }
    for (const [type, start] of later)
      for (const [day, sum] of this.#days.get(type) ?? []) {
        if (day * dayMs >= start) continue
        this.#days.get(type)?.delete(day)
        this.#change(-sum)
      }
  }

  #change(by: bigint): void {
    this.#sum = (((this.#sum + by) % modulus) + modulus) % modulus
    this.#digest = undefined
  }
}
