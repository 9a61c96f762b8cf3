/** What the broker refused, with its code (docs/errors.md); `UNREACHABLE` when there was no answer. */
export class Problem extends Error {
  readonly code: string
  /** To be told to operators, who find it in the log. */
  readonly requestId: string | undefined

  constructor(code: string, detail: string, requestId?: string) {
    super(detail)
    this.name = 'Problem'
    this.code = code
    this.requestId = requestId
  }
}

export function toProblem(error: unknown): Problem {
  return error instanceof Problem ? error : new Problem('INTERNAL', String(error))
}
