import type { Grant } from './grant.ts'
import type { Resource } from './resource.ts'

/** Answer to: may this principal open a session now? `reason` is fit for the person who asked. */
export type AccessAnswer =
  | { readonly allowed: true; readonly grant: Grant; readonly resource: Resource; readonly level: unknown }
  | {
      readonly allowed: false
      readonly code:
        | 'GRANT_DENIED'
        | 'GRANT_EXPIRED'
        | 'GRANT_TAMPERED'
        | 'RESOURCE_UNKNOWN'
        | 'RESOURCE_AMBIGUOUS'
        | 'PRINCIPAL_LOCKED'
        | 'PRINCIPAL_INACTIVE'
      readonly reason: string
      readonly hint?: string
    }

/** What the rest of the house may ask of access. Built by `createAccess` (create-access.ts). */
export interface AccessService {
  /**
   * Reads principal, grant and rules again, and answers. `level` of an allowed answer is what the kind's `parseLevel` made.
   * @param reference full id or unique last part of a resource; unknown and not-visible answer alike
   * @param ask.level omitted: the one level held
   * @param ask.grantId a connect token is bound to one grant; no other will do
   */
  check(ask: { principalId: string; resource: string; level?: string; grantId?: string }): Promise<AccessAnswer>
  /** One grant with a valid HMAC, or undefined. Never cached. */
  grant(id: string): Promise<Grant | undefined>
  resource(id: string): Resource | undefined
  /** Ends what has run out and re-checks live grants against rules and directory. Called by the daemon's timer. */
  sweep(): Promise<void>
}
