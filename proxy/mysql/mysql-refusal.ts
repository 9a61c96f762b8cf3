import { BrokerError, type ErrorCode } from '../session.ts'

/** A refusal for which MySQL has an error of its own, more exact than that of our code: clients and pools act on the number. */
export class MysqlRefusal extends BrokerError {
  readonly number: number
  readonly state: string

  constructor(
    code: ErrorCode,
    { number, state }: { readonly number: number; readonly state: string },
    detail: string,
    options: { readonly hint?: string | undefined } = {},
  ) {
    super(code, detail, options)
    this.number = number
    this.state = state
  }
}
