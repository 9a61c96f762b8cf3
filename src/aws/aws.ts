import type { RoleToTry } from '../catalog/role-to-try.ts'
import type { AccountReport } from '../contract/aws.ts'
import type { Paced } from './paced.ts'
import type { Expiring } from './renewing.ts'

/** How long STS lets a session live; role chaining has a hard cap of its own. */
export const stsLimits = { shortestMs: 900_000, chainedMs: 3_600_000, longestMs: 43_200_000 } as const

/** Temporary credentials, kept in memory only. */
export interface AwsCredentials extends Expiring {
  readonly accessKeyId: string
  readonly secretAccessKey: string
  readonly sessionToken: string
  /** As STS set it. */
  readonly sourceIdentity?: string
  /** How much of the space for session policies and tags they take; left out: STS does not say. */
  readonly packedPercent?: number
}

/**
 * One session of a role, for one grant. Through the hub it carries tags and SourceIdentity; with the person's own ID token only
 * those that the provider put into the token.
 */
export interface SessionAsk {
  readonly partition: string
  readonly account: string
  /** ARN of the role; null: the spoke role itself. */
  readonly role: string | null
  readonly person: string
  /** Before the person's name in the name of the session. */
  readonly namePrefix?: string
  /** Name of the session; left out: made of the two before. */
  readonly sessionName?: string
  /** User of the operating system as whom Session Manager runs shells, whatever tag the role has; not with an ID token. */
  readonly runAs?: string
  readonly grantId: string
  readonly requestId: string
  /** Tags beside those of the broker, whose keys are none of its own; not with an ID token. */
  readonly tags?: Readonly<Record<string, string>>
  /** Left out where sessions of one grant share the credentials. */
  readonly sessionId?: string
  /** JSON; what the session may do at most. With the ARNs 2,048 characters. Null: all that role and `policyArns` allow. */
  readonly policy: string | null
  /** Managed session policies, at most 10. */
  readonly policyArns?: readonly string[]
  /** Whether the tags used for revocation are passed on to roles assumed from this session. Default: no. */
  readonly isTransitive?: boolean
  /** False: without SourceIdentity. */
  readonly hasSourceIdentity?: boolean
  /** Epoch milliseconds; STS gives at least 15 minutes and, to chained roles, at most an hour. */
  readonly until: number
  /** Default: an hour, which is also the most that chained roles have. */
  readonly longestMs?: number
  /** The person's own, fresh from the provider; called where the account trusts nothing else. @throws BrokerError LOGIN_REQUIRED, PROVIDER_UNAVAILABLE */
  idToken(): Promise<string>
}

/** Built by `createAws` (create-aws.ts). */
export interface Aws {
  /**
   * Hub, spoke, last hop: each with what its trust policy requires. In an account that trusts web_identity the person's own ID token
   * alone, without any credentials of the broker.
   * @throws BrokerError AWS_DENIED (which role, which step, what to fix), AWS_UNAVAILABLE; with an ID token LOGIN_REQUIRED,
   *   PROVIDER_UNAVAILABLE
   */
  session(ask: SessionAsk): Promise<AwsCredentials>
  /**
   * Checks what an account allows the broker, and that it allows no more. The assumed sessions are discarded.
   * @param idToken of the caller, for accounts that accept nothing else
   */
  checkAccount(
    account: string,
    roles: readonly RoleToTry[],
    idToken: () => Promise<string>,
  ): Promise<Omit<AccountReport, 'features'>>
  /**
   * The hub's own credentials, kept and renewed; null: there is no hub role, and the daemon's own identity is the hub.
   * @throws BrokerError AWS_DENIED, AWS_UNAVAILABLE
   */
  readonly hub: (() => Promise<AwsCredentials>) | null
  /** The spoke's own credentials, kept and renewed for each account. @throws BrokerError AWS_DENIED, AWS_UNAVAILABLE */
  spoke(place: { readonly partition: string; readonly account: string }): Promise<AwsCredentials>
  /** Of Identity Center and its identity store, whose calls AWS counts together: shared by all who ask them. */
  readonly identityCenterPaced: Paced
}
