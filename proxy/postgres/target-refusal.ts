import { BrokerError } from '../session.ts'

/** The target refused the sign-in for a reason that clients and pools act on: they are shown its own SQLSTATE. */
export class TargetRefusal extends BrokerError {
  readonly state: string

  constructor(state: string, detail: string, options: { hint?: string }) {
    super('TARGET_REFUSED', detail, options)
    this.state = state
  }
}
