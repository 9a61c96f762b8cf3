/** Tables of src/pushed; made in src/store/migrations/0021-pushes.ts. */
export interface PushTables {
  /** One row for each membership that was ever asked of AWS. */
  pushes: {
    /** Of the membership: its kind and ids. */
    id: string
    kind: string
    region: string
    instance: string
    account: string | null
    /** ARN of the permission set, or id of the group. */
    what: string
    user_id: string
    state: string
    ownership: string | null
    external_id: string | null
    begun_at: number | null
    /** JSON of what is underway. */
    underway: string | null
    reason: string | null
    lasting: number
    wanted_until: number
    overdue_since: number | null
    check_at: number
    failures: number
    version: number
    mac: string | null
  }
  /** Which user of the identity store a person is. */
  identity_center_links: {
    /** Id of the principal. */
    id: string
    /** Null: none any more. */
    user_id: string | null
    /** Of the user, for people. */
    user_name: string | null
    /** `admin`, or the attribute by which it was found. */
    found_by: string
    linked_at: number
    version: number
    mac: string | null
  }
}

declare module '../store/schema.ts' {
  interface Database extends PushTables {}
}

export type PushRow = PushTables['pushes']
export type LinkRow = PushTables['identity_center_links']
