import type { Core } from '../core.ts'
import type { Principal } from '../principal.ts'
import type { ConnectTokenRow, TokenStore } from './token-store.ts'

export interface SignInRow {
  /** Undefined: there is none that the broker wrote. */
  readonly row?: ConnectTokenRow | undefined
  readonly owner?: Principal | undefined
}

type SignInCore = Pick<Core, 'changes' | 'clock'> & { readonly directory: Pick<Core['directory'], 'ownerOf'> }

interface Held extends SignInRow {
  /** By the clock of `elapsedMs`. */
  readonly until: number
}

/** A sign-in asks twice: for the keys, and once it has proved that it holds the token. */
const heldMs = 5000
const mostHeld = 1000

/**
 * Tokens and their owners, for sign-ins: held for some seconds, and not beyond any change of which this daemon hears. Whatever a sign-in
 * opens is decided by rows that are read again.
 */
export class SignInRows {
  readonly #core: SignInCore
  readonly #store: Pick<TokenStore, 'connectToken'>
  readonly #elapsedMs: () => number
  readonly #held = new Map<string, Held>()

  /** @param elapsedMs milliseconds since any fixed moment */
  constructor(
    core: SignInCore,
    store: Pick<TokenStore, 'connectToken'>,
    elapsedMs: () => number = () => performance.now(),
  ) {
    this.#core = core
    this.#store = store
    this.#elapsedMs = elapsedMs
    core.changes.subscribe(() => this.#held.clear())
  }

  async read(id: string): Promise<SignInRow> {
    const held = this.#held.get(id)
    if (held && this.#elapsedMs() < held.until) return held
    const { changes, directory } = this.#core
    const before = changes.count
    const [row, owner] = await Promise.all([this.#store.connectToken(id), directory.ownerOf(id)])
    if (row && changes.count === before) this.#hold(id, { row, owner, until: this.#elapsedMs() + heldMs })
    return { row, owner }
  }

  /** Its row says so by now. */
  noteUse(id: string): void {
    const held = this.#held.get(id)
    if (held?.row) this.#held.set(id, { ...held, row: { ...held.row, last_used_at: this.#core.clock.now() } })
  }

  #hold(id: string, held: Held): void {
    this.#held.delete(id)
    this.#held.set(id, held)
    for (const [oldest] of this.#held) {
      if (this.#held.size <= mostHeld) return
      this.#held.delete(oldest)
    }
  }
}
