import { randomBytes, randomInt, timingSafeEqual } from 'node:crypto'
import { prefixOf } from '../ports/source-address.ts'
import type { CancelAsk } from './sign-in/client.ts'

/** What a client shows to cancel: never the target's own key. */
export interface CancelKey {
  readonly pid: number
  readonly key: Buffer
}

const largestPid = 0x7fff_ffff
/** Keys of protocol 3.0 have 32 bits, so they can be guessed: after this many wrong ones an address is not listened to for a minute. */
const mostWrong = 10
const forgetMs = 60_000
const mostAddresses = 10_000

/** Open sessions by the key that cancels their statement. */
export class CancelRegistry {
  readonly #sessions = new Map<number, { key: Buffer; cancel: (ask: CancelAsk) => Promise<void> }>()
  readonly #wrong = new Map<string, { count: number; until: number }>()
  readonly #now: () => number

  constructor(now: () => number = () => performance.now()) {
    this.#now = now
  }

  /** @param minor of the client's protocol: 3.2 has keys of 32 bytes */
  add(minor: number, cancel: (ask: CancelAsk) => Promise<void>): CancelKey {
    let pid = randomInt(1, largestPid)
    while (this.#sessions.has(pid)) pid = randomInt(1, largestPid)
    const key = randomBytes(minor >= 2 ? 32 : 4)
    this.#sessions.set(pid, { key, cancel })
    return { pid, key }
  }

  remove({ pid }: CancelKey): void {
    this.#sessions.delete(pid)
  }

  /** Wrong and right keys look alike from outside. @returns whether the key was right */
  async use(ask: CancelAsk): Promise<boolean> {
    const address = prefixOf(ask.origin.address)
    const session = this.#isShutOut(address) ? undefined : this.#sessions.get(ask.pid)
    if (session && ask.key.length === session.key.length && timingSafeEqual(ask.key, session.key)) {
      await session.cancel(ask)
      return true
    }
    this.#countWrong(address)
    return false
  }

  #isShutOut(address: string): boolean {
    const wrong = this.#wrong.get(address)
    if (wrong && wrong.until <= this.#now()) this.#wrong.delete(address)
    return (this.#wrong.get(address)?.count ?? 0) >= mostWrong
  }

  #countWrong(address: string): void {
    const until = this.#now() + forgetMs
    const known = this.#wrong.get(address)
    if (known) known.count += 1
    else {
      if (this.#wrong.size >= mostAddresses) this.#wrong.clear()
      this.#wrong.set(address, { count: 1, until })
    }
  }
}
