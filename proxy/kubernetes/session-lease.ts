import type { FailedLease, Lease } from '../session.ts'

/** Before it expires another one is asked for. */
const aheadMs = 30_000

/** The lease of one session, asked for once for all of its requests, and again before it expires or when the cluster does not take it. */
export class SessionLease {
  readonly #ask: (failed?: FailedLease) => Promise<Lease>
  readonly #now: () => number
  #lease: Lease | undefined
  #asking: Promise<Lease> | undefined

  /** @param now epoch milliseconds */
  constructor(ask: (failed?: FailedLease) => Promise<Lease>, now: () => number) {
    this.#ask = ask
    this.#now = now
  }

  /** The one that is there and good for long enough. */
  get atHand(): Lease | undefined {
    const known = this.#lease
    return known && this.#asking === undefined && this.#isGood(known) ? known : undefined
  }

  /** @param failed of one that it gave @throws BrokerError what the doorman throws */
  async get(failed?: FailedLease): Promise<Lease> {
    while (this.#asking !== undefined) await this.#asking
    const known = this.#lease
    if (known && !isSame(known, failed) && this.#isGood(known)) return known
    this.#asking = this.#ask(failed)
    try {
      this.#lease = await this.#asking
      return this.#lease
    } finally {
      this.#asking = undefined
    }
  }

  #isGood({ expiresAt }: Lease): boolean {
    return this.#now() < expiresAt - aheadMs
  }
}

/** It is the one that failed. */
function isSame({ secret, ca }: Lease, failed: FailedLease | undefined): boolean {
  return failed !== undefined && (failed.secret === secret || (failed.ca !== undefined && failed.ca === ca))
}
