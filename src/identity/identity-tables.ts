/**
 * Tables of src/identity; made in src/store/migrations. Every row carries a MAC over its columns, so that a writer of the
 * database can't add a group member, start a login, or mint a token.
 */
export interface IdentityTables {
  principals: {
    /** Derived from issuer and subject: a row that was deleted comes back with the same id, and its lock still holds. */
    id: string
    kind: string
    issuer: string
    subject: string
    username: string | null
    display_name: string | null
    /** As the provider gave it; whether it counts is decided when the row is read. */
    email: string | null
    /** Lower case, for the search of others that have it. */
    email_key: string | null
    email_verified: number
    /** JSON list, sorted. */
    groups: string
    manager: string | null
    /** What signs in to targets, and the claim that said so: of another claim than the configured one it does not count. */
    login_name: string | null
    login_claim: string | null
    /** JSON: values of the claims that session tags may be made of, by name. */
    tag_claims: string | null
    active: number
    locked_at: number | null
    owner_id: string | null
    created_at: number
    seen_at: number
    /** 1, 2 … with every change. */
    version: number
    mac: string
  }
  logins: {
    id: string
    principal_id: string
    via: string
    /** Hex SHA-256 of the secret. */
    secret_hash: string
    authenticated_at: number
    acr: string | null
    /** The provider's session. */
    sid: string | null
    created_at: number
    seen_at: number
    expires_at: number
    /** Sealed for this very login; null when the provider gives none. */
    refresh_token: Uint8Array | null
    /** When the refresh token is tried next; null when there is none. */
    probe_at: number | null
    /** Until then its token is being refreshed, by one daemon. Not part of the MAC. */
    refreshing_until: number | null
    mac: string
  }
  api_tokens: {
    id: string
    /** In whose name it acts: a person or a service account. */
    principal_id: string
    created_by: string
    name: string
    /** JSON list. */
    scopes: string
    cidr: string | null
    secret_hash: string
    created_at: number
    expires_at: number
    last_used_at: number | null
    last_used_from: string | null
    mac: string
  }
  connect_tokens: {
    id: string
    principal_id: string
    grant_id: string
    resource_id: string
    level: string
    /** Login or API token through which it was issued. */
    issued_by: string
    cidr: string | null
    /** Sealed: what the protocols need to recognise the token. */
    keys: Uint8Array
    created_at: number
    expires_at: number
    last_used_at: number | null
    last_used_from: string | null
    mac: string
  }
}

declare module '../store/schema.ts' {
  interface Database extends IdentityTables {}
}
