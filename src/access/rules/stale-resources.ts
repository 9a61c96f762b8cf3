import { type Kinds, kindOf } from '../../catalog/kind.ts'

/** Resources of which some daemon has written something that the catalog here has not yet. */
export class StaleResources {
  readonly #kinds: Kinds
  /** By id, the last event that names it. */
  readonly #seqs = new Map<string, number>()
  /** Accounts and units among them: by where they stand any resource may be selected. */
  #nodes = 0

  constructor(kinds: Kinds) {
    this.#kinds = kinds
  }

  note(ids: readonly string[], seq: number): void {
    for (const id of ids) {
      const before = this.#seqs.get(id)
      if (before === undefined && this.#isNode(id)) this.#nodes += 1
      this.#seqs.set(id, Math.max(before ?? 0, seq))
    }
  }

  /** They are in the catalog as they were at an event. @returns whether an account or a unit was among them */
  settle(ids: readonly string[], seq: number): boolean {
    let hasNode = false
    for (const id of ids) {
      const isNode = this.#isNode(id)
      hasNode ||= isNode
      if ((this.#seqs.get(id) ?? Number.POSITIVE_INFINITY) > seq) continue
      this.#seqs.delete(id)
      if (isNode) this.#nodes -= 1
    }
    return hasNode
  }

  has(id: string): boolean {
    return this.#nodes > 0 || this.#seqs.has(id)
  }

  #isNode(id: string): boolean {
    return kindOf(this.#kinds, id)?.node !== undefined
  }
}
