/** A role that the broker assumes for a resource; `aws validate` tries each. */
export interface RoleToTry {
  /** Null: the spoke role itself. */
  readonly arn: string | null
  /** The one of `aws.reach_role`, whatever {@link arn} says. */
  readonly isReach?: boolean
  readonly hasSourceIdentity: boolean
  readonly hasTransitiveTags: boolean
}
