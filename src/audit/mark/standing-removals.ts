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

const modulus = 1n << 256n
const purpose = 'standing-removals'

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

  add({ type, at, hash }: { readonly type: string; readonly at: number; readonly hash: string }): void {
    const since = this.#since[type]
    if (since === undefined || at < since) return
    const member = createHash('sha256').update(this.#keyring.mac(purpose, hash)).digest('hex')
    const value = BigInt(`0x${member}`)
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
