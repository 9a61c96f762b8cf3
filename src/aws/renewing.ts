import type { Clock } from '../telemetry/clock.ts'

export interface Expiring {
  /** Epoch milliseconds. */
  readonly expiresAt: number
}

export interface RenewingOptions<T extends Expiring> {
  make(): Promise<T>
  readonly clock: Clock
  /** How long before its end a value is renewed, while it is still handed out; up to a fifth more, at random. */
  readonly aheadMs: number
  /** Epoch milliseconds: a value that lasts until then is not renewed. */
  readonly until?: number
  /** In this last stretch it is no longer handed out. */
  readonly marginMs: number
  /** A renewal ahead failed; callers after the end get the error. */
  readonly onLateRenewal: (error: unknown) => void
  /** 0 to 1; default `Math.random`. */
  readonly random?: () => number
}

/** One value that expires: made once for all concurrent callers (single flight), and renewed ahead. A failure is not kept. */
export class Renewing<T extends Expiring> {
  readonly #options: RenewingOptions<T>
  #value: T | undefined
  #renewAt = 0
  #making: Promise<T> | undefined

  constructor(options: RenewingOptions<T>) {
    this.#options = options
  }

  /** The value that was made last, which may have expired. */
  get last(): T | undefined {
    return this.#value
  }

  /** It does not work: the next one who asks gets another. */
  discard(): void {
    this.#value = undefined
  }

  async get(): Promise<T> {
    return this.atHand() ?? (await this.#make())
  }

  /** The value if it is there and may be handed out; it is renewed ahead all the same. */
  atHand(): T | undefined {
    const { clock, marginMs, onLateRenewal } = this.#options
    const value = this.#value
    if (!value || clock.now() >= value.expiresAt - marginMs) return undefined
    if (clock.now() >= this.#renewAt && !this.#making) this.#make().catch(onLateRenewal)
    return value
  }

  #make(): Promise<T> {
    this.#making ??= this.#options
      .make()
      .then((value) => {
        const { aheadMs, until = Number.POSITIVE_INFINITY, random = Math.random } = this.#options
        const isEnough = value.expiresAt >= until
        this.#value = value
        this.#renewAt = isEnough ? Number.POSITIVE_INFINITY : value.expiresAt - aheadMs * (1 + random() / 5)
        return value
      })
      .finally(() => {
        this.#making = undefined
      })
    return this.#making
  }
}
