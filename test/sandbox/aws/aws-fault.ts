/** An error as AWS answers it: `code` is what SDKs see as the error's name. */
export class AwsFault extends Error {
  readonly code: string
  readonly status: number
  /** What really was wrong, for assertions; AWS doesn't tell it. */
  readonly reason: string
  constructor(code: string, status: number, message: string, reason = message) {
    super(message)
    this.name = 'AwsFault'
    this.code = code
    this.status = status
    this.reason = reason
  }
}
