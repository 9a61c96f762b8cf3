/** Something that an administrator runs once, so that a target takes the broker's sign-ins. */
export interface PreparationStep {
  /** What it does, and where it is run. */
  readonly what: string
  /** The levels that need it; empty: all. */
  readonly levels: readonly string[]
  readonly language: 'sh' | 'sql'
  /** Lines to paste, comments included. */
  readonly text: string
}
