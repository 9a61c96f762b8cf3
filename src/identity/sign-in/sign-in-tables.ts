/** What daemons on one store count and spend together; made in src/store/migrations. Short-lived, and swept. */
export interface SignInTables {
  one_time_secrets: {
    /** SHA-256 of the secret. */
    digest: string
    purpose: string
    /** Keyed digest of a second, shorter secret, by which a person finds it. */
    alias: string | null
    /** Prefix of the address that it was made for. */
    network: string
    /** Sealed for this purpose and digest. */
    payload: Uint8Array
    /** Failed ones. */
    tries: number
    polled_at: number
    expires_at: number
  }
  request_counts: {
    /** Keyed digest of route and address, cut to 16 bits: so there are never more rows. */
    bucket: number
    count: number
    /** End of its window, epoch milliseconds. */
    until: number
  }
}

declare module '../../store/schema.ts' {
  interface Database extends SignInTables {}
}
