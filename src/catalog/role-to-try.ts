import type { SessionTags } from './session-tags.ts'

/** The longest that sessions of a level may carry: what STS packs together. */
export interface TaggedTry {
  readonly level: string
  readonly tags: SessionTags
  /** Session policy that allows nothing; null: none. */
  readonly policy: string | null
  readonly policyArns: readonly string[]
}

/** A role that the broker assumes for a resource; `aws validate` tries each. */
export interface RoleToTry {
  /** Null: the spoke role itself. */
  readonly arn: string | null
  /** The one of `aws.reach_role`, whatever {@link arn} says. */
  readonly isReach?: boolean
  readonly hasSourceIdentity: boolean
  readonly hasTransitiveTags: boolean
  /** The longest session that is asked of it, where an account takes ID tokens; left out: the shortest there is. */
  readonly longestMs?: number
  /** Left out: with the broker's own tags alone. */
  readonly tagged?: TaggedTry
}
