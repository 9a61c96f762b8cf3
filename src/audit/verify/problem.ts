/** One problem, with its place. */
export interface Problem {
  /** What holds it: `event`, `text`, `head`, `subjects`, `checkpoint`, `anchor`, `recording`, `export`, `grant`, `token` … */
  readonly where: string
  /** Which one: seq of the event, number of the checkpoint, line of the file, id of the session or grant. */
  readonly at: number | string
  /** What differs, in a sentence without names of people. */
  readonly what: string
}
