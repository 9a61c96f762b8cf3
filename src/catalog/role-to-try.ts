/** A role that the broker assumes for a resource; `aws validate` tries each. */
export interface RoleToTry {
  /** Null: the spoke role itself. */
  readonly arn: string | null
  readonly hasSourceIdentity: boolean
  readonly hasTransitiveTags: boolean
}
