import type { Expiring } from './renewing.ts'

/** Temporary credentials, kept in memory only. */
export interface AwsCredentials extends Expiring {
  readonly accessKeyId: string
  readonly secretAccessKey: string
  readonly sessionToken: string
}

/** One tagged session of a role, for one grant. */
export interface SessionAsk {
  readonly partition: string
  readonly account: string
  /** ARN of the role; null: the spoke role itself. */
  readonly role: string | null
  readonly person: string
  readonly grantId: string
  readonly requestId: string
  /** JSON; what the session may do at most. 2,048 characters. */
  readonly policy: string
  /** Epoch milliseconds; STS gives at least 15 minutes and, to chained roles, at most an hour. */
  readonly until: number
}

/** Built by `createAws` (create-aws.ts). */
export interface Aws {
  /**
   * Hub, spoke, last hop: each with what its trust policy wants.
   * @throws BrokerError AWS_DENIED (which role, which step, what to fix), AWS_UNAVAILABLE
   */
  session(ask: SessionAsk): Promise<AwsCredentials>
}
