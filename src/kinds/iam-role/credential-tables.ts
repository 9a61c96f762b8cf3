/** Tables of src/kinds/iam-role; made in src/store/migrations/0005-role-credentials.ts, changed in 0007. */
export interface CredentialTables {
  /** One row for each set of credentials that left the broker; never the secret. CloudTrail joins on the access key. */
  role_credentials: {
    access_key_id: string
    session_id: string
    grant_id: string
    principal_id: string
    /** Login or API token that requested them. */
    credential_id: string
    resource_id: string
    partition: string
    account: string
    role_arn: string
    /** As CloudTrail shows them. */
    session_name: string
    source_identity: string | null
    issued_at: number
    /** Until when they can work: their expiry, or the end of the grant where a session policy says so. */
    works_until: number
    /** 1: the role's boundary lets the broker kill them. */
    revocable: number
    /** When access was taken away before they expired. */
    doomed_at: number | null
    /** What the boundary denies: `grant` or `session`. */
    doomed_by: string | null
    /** When they were killed, or audited as still working. */
    settled_at: number | null
    /** Null in rows of versions without it. */
    mac: string | null
  }
}

declare module '../../store/schema.ts' {
  interface Database extends CredentialTables {}
}
