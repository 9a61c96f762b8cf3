import { prefixOf } from '../../proxy/ports/source-address.ts'

/** Keys of PostgreSQL's protocol 3.0 have 32 bits, so they can be guessed: after this many wrong ones an address is blocked for a minute. */
const mostWrong = 10
const forgetMs = 60_000
const mostAddresses = 10_000

/** Counts wrong cancel keys by source address, for all fronts together. */
export class WrongKeys {
  readonly #wrong = new Map<string, { count: number; until: number }>()
  readonly #now: () => number

  constructor(now: () => number = () => performance.now()) {
    this.#now = now
  }

  isBlocked(address: string): boolean {
    const prefix = prefixOf(address)
    const wrong = this.#wrong.get(prefix)
    if (wrong && wrong.until <= this.#now()) this.#wrong.delete(prefix)
    return (this.#wrong.get(prefix)?.count ?? 0) >= mostWrong
  }

  count(address: string): void {
    const prefix = prefixOf(address)
    const known = this.#wrong.get(prefix)
    if (known) known.count += 1
    else {
      if (this.#wrong.size >= mostAddresses) this.#wrong.clear()
      this.#wrong.set(prefix, { count: 1, until: this.#now() + forgetMs })
    }
  }
}
