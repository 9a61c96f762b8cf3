/**
 * The newest version of each row that this daemon wrote or found in the audit log. Anyone who can write to the database
 * can restore an earlier row, whose MAC is valid; its version reveals that.
 */
export class KnownVersions {
  readonly #known = new Map<string, { readonly version: number; readonly until: number }>()

  /** @param until when it no longer matters, epoch milliseconds */
  note(id: string, version: number, until: number): void {
    const known = this.#known.get(id)
    this.#known.set(id, {
      version: Math.max(version, known?.version ?? 0),
      until: Math.max(until, known?.until ?? 0),
    })
  }

  /** 0 when nothing is known. */
  newest(id: string): number {
    return this.#known.get(id)?.version ?? 0
  }

  isPutBack(id: string, version: number): boolean {
    return version < this.newest(id)
  }

  forget(now: number): void {
    for (const [id, { until }] of this.#known) if (until <= now) this.#known.delete(id)
  }
}
