/** An account or a unit, with what holds it. */
export interface TreeNode {
  /** `111122223333`, `ou-…` */
  readonly id: string
  /** For people; it gives nothing. */
  readonly title: string
  /** `ou-…` or `r-…`; null: not known. */
  readonly parent: string | null
  readonly isAccount: boolean
  /** Of an account, as AWS Organizations has it; null: it is a unit, or nothing is known. */
  readonly state: string | null
  /** Why no rule gives access to what is in it, in words; null: rules may. */
  readonly unusable: string | null
}

/** What selectors by units and by tags of accounts go by. */
export interface Place {
  /** The units and the root that hold it, from the nearest; of a unit, itself before them. Null: not known. */
  readonly units: readonly string[] | null
  /** Of the account; null: not known. */
  readonly accountTags: Readonly<Record<string, string>> | null
  /** Titles of the units, from the root, joined by `/`; null: not known. */
  readonly path: string | null
  /** Why no rule gives access to what is there, in words; null: rules may. */
  readonly unusable: string | null
}
