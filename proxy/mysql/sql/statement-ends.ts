/** Statements that leave it as it is how texts are read. */
const steady = new Set(
  'select insert update delete replace values table with show use explain describe desc begin end start commit rollback savepoint release truncate lock unlock analyze optimize check create drop alter grant revoke load kill'.split(
    ' ',
  ),
)

/** Where the statements of one text end, as one reader finds them, and behind which of them it may be read in another way. */
export class StatementEnds {
  /** Of what was fed last. */
  readonly all = new Set<number>()
  /** Those behind which the text may be read in another way, in order. */
  #changes: number[] = []
  #next = 0
  #isSteady = true

  /** More is fed. */
  clear(): void {
    if (this.all.size > 0) this.all.clear()
    if (this.#changes.length > 0) this.#changes = []
    this.#next = 0
  }

  /**
   * A statement begins, or one within it.
   * @param name of its first word, as it is written, in lower case; undefined: it is too long, or no word
   */
  begin(name?: string): void {
    if (name === undefined || !steady.has(name)) this.#isSteady = false
  }

  /** @param to offset behind the semicolon */
  end(to: number): void {
    this.all.add(to)
    if (!this.#isSteady) this.#changes.push(to)
    this.#isSteady = true
  }

  /** @param least not below that of the call before */
  changeFrom(least: number): number {
    while ((this.#changes[this.#next] ?? least) < least) this.#next += 1
    return this.#changes[this.#next] ?? Number.POSITIVE_INFINITY
  }
}
