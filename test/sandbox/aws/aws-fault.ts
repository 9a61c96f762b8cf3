/** An error as AWS answers it: `code` is what SDKs see as the error's name. */
export class AwsFault extends Error {
  readonly code: string
  readonly status: number
  /** What really was wrong, for assertions; AWS doesn't tell it. */
  readonly reason: string
  /** Members of the error beside its message, where the protocol is JSON. */
  readonly members: Readonly<Record<string, string>>
  constructor(
    code: string,
    status: number,
    message: string,
    reason = message,
    members: Readonly<Record<string, string>> = {},
  ) {
    super(message)
    this.name = 'AwsFault'
    this.code = code
    this.status = status
    this.reason = reason
    this.members = members
  }
}
