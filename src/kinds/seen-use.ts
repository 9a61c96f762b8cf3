import type { AwsUse } from '../contract/grants.ts'

/** One use of a target as AWS's logs have it, with what tells by which grant it was. */
export interface SeenUse extends Pick<AwsUse, 'at' | 'endedAt' | 'region' | 'by' | 'sessionName' | 'sourceIdentity'> {
  /** The broker gave these keys out, or those that they were taken with. */
  readonly proof: { readonly grantId: string; readonly sessionId: string; readonly match: 'key' | 'chain' } | null
  /** What the call said of itself, where a role made it that only the broker can take; null: another did. */
  readonly claim: {
    readonly grantId: string | null
    readonly sessionId: string | null
    /** As {@link import('../aws/session-names.ts').toSessionName} writes a login. */
    readonly person: string | null
  } | null
}

/** What was seen in a time. */
export interface SeenUses {
  /** Newest first. */
  readonly uses: readonly SeenUse[]
  /** False: there is more than was read. */
  readonly isWhole: boolean
}
