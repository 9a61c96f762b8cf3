interface Used {
  readonly id: string
  readonly expires_at: number
}

/**
 * Tokens that let someone in at this daemon, until they expire. Their rows are erased by one daemon of the store; what they opened is
 * ended where it is.
 */
export class UsedTokens<T extends Used> {
  readonly #used = new Map<string, T>()

  note(row: T): void {
    this.#used.set(row.id, row)
  }

  /** Those that have expired, once. */
  takeExpired(now: number): T[] {
    const expired = [...this.#used.values()].filter((row) => row.expires_at <= now)
    for (const { id } of expired) this.#used.delete(id)
    return expired
  }
}
