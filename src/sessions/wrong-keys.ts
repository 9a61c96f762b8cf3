import { prefixOf } from '../../proxy/ports/source-address.ts'
import { type Counter, type Counts, countsHere } from '../store/counts/counter.ts'
import type { Clock } from '../telemetry/clock.ts'

/** Keys of PostgreSQL's protocol 3.0 have 32 bits, so they can be guessed: after this many wrong ones an address is blocked for a minute. */
const mostWrong = 10
const forgetMs = 60_000
const mostAddresses = 10_000

export interface WrongKeysDeps {
  readonly clock: Clock
  /** By default those of this daemon alone. */
  readonly counts?: Counts
}

/** Counts wrong cancel keys by source address, for all fronts and all daemons together. */
export class WrongKeys {
  readonly #clock: Clock
  readonly #wrong: Counter

  constructor({ clock, counts = countsHere(clock) }: WrongKeysDeps) {
    this.#clock = clock
    this.#wrong = counts.counter('cancel keys', mostWrong, mostAddresses)
  }

  isBlocked(address: string): boolean {
    return this.#wrong.read(prefixOf(address)).current >= mostWrong
  }

  count(address: string): void {
    this.#wrong.add(prefixOf(address), 1, this.#clock.now() + forgetMs)
  }
}
