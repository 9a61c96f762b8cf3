/** The purpose of a sign-in, which decides what happens after the provider sends the browser back. */
export type SignInPurpose =
  /** A browser session; then back to a path of ours. */
  | { readonly for: 'web'; readonly returnTo: string }
  /** A command on the person's machine waits at this loopback port; `challenge` is the S256 of its verifier. */
  | { readonly for: 'cli'; readonly port: number; readonly state: string; readonly challenge: string }
  /** A command elsewhere waits; the person will type its code. */
  | { readonly for: 'device' }

/** Step-up: how fresh or how strong the proof must be. */
export interface Strength {
  /** Seconds since the person proved who they are; 0: again, now. Null: as long as the session lifetime allows. */
  readonly maxAgeS: number | null
  /** Authentication context class to ask for. */
  readonly acr: string | null
}

/** A sign-in between our redirect and the provider's; sealed in a cookie of the browser that began it, nowhere else. */
export interface PendingSignIn {
  readonly state: string
  readonly nonce: string
  readonly codeVerifier: string
  readonly purpose: SignInPurpose
  readonly strength: Strength
  /** Epoch milliseconds. */
  readonly startedAt: number
}

/** How long a person may take at the provider. */
export const signInWithinMs = 10 * 60_000
