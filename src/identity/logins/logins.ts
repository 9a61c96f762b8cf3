import type { Login } from '../principal.ts'

/** What the identity provider vouched for, after every check of its tokens. */
export interface Vouched {
  readonly issuer: string
  readonly subject: string
  readonly claims: {
    readonly email: string | null
    readonly emailVerified: boolean
    readonly name: string | null
    readonly username: string | null
    /** What signs in to targets, as the ID token has it in the claim of `oidc.login_claim`; null: nothing usable. */
    readonly loginName: { readonly claim: string; readonly name: string } | null
    /** Of the ID token, by name; left out: none. */
    readonly tagClaims?: Readonly<Record<string, string>>
    readonly groups: readonly string[]
    /** E-mail or subject, as the provider gave it. */
    readonly manager: string | null
  }
  /** When the person proved who they are, epoch milliseconds. */
  readonly authenticatedAt: number
  readonly acr: string | null
  readonly refreshToken: string | null
  /** The provider's session, for back-channel logout. */
  readonly sid: string | null
}

export type LoginVia = 'web' | 'cli'

/** Logins of people: opaque secrets, of which only the hash is kept. */
export interface Logins {
  /**
   * Stores the person with their current groups in the directory and starts a login; `login.succeeded` is audited first.
   * @returns `secret`, 43 characters of base64url, for the cookie or the bearer header; never shown again
   * @throws BrokerError PRINCIPAL_LOCKED, AUDIT_UNAVAILABLE
   */
  begin(vouched: Vouched, via: LoginVia, origin: { address: string }): Promise<{ secret: string; login: Login }>
  /** Ends a login at once and erases its refresh token; unknown ids are ignored. `why` is for the audit log. */
  end(loginId: string, why: string): Promise<void>
  /**
   * The provider ended its side (back-channel logout): by its session, or all logins of the person.
   * @returns how many ended
   */
  endOf(whose: { issuer: string; subject?: string; sid?: string }, why: string): Promise<number>
  /** A sign-in that did not complete: counted and aggregated, never one event each. */
  failed(why: string, address: string): void
}

/**
 * Asks the provider whether a person is still active, with the refresh token of a login.
 * `gone`: the provider refused the token. `unavailable`: ask again later; the token is as good as before, or as the one
 * that was kept. `lost`: the token was sent and no answer came, so the provider may have replaced it.
 */
export type Prober = (refreshToken: string, keep: KeepToken) => Promise<Refreshed | 'gone' | 'unavailable' | 'lost'>

/**
 * Called once the provider has answered, before anything else of the answer is read.
 * @param rotated what replaces the refresh token from now on; null when it stays
 */
export type KeepToken = (rotated: string | null) => Promise<void>

export interface Refreshed extends Vouched {
  /** As it came, where one came; it was checked. */
  readonly idToken?: string
  /** The answer said nothing of groups, which is not the same as none. */
  readonly groupsAbsent?: boolean
  /** There was no ID token, or none with the claim of login names. */
  readonly loginNameAbsent?: boolean
}
