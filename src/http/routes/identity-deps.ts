import type { Identity } from '../../identity/create-identity.ts'
import type { Lists } from '../lists.ts'

/** What the routes of identity share. */
export interface IdentityRoutesDeps {
  readonly identity: Pick<
    Identity,
    | 'logins'
    | 'apiTokens'
    | 'connectTokens'
    | 'principals'
    | 'lock'
    | 'unlock'
    | 'createServiceAccount'
    | 'serviceAccounts'
    | 'acceptServiceAccount'
    | 'withdrawServiceAccount'
  >
  readonly lists: Pick<Lists, 'read'>
  readonly publicUrl: string
  /** Where stock clients reach this resource on the broker's own port; null when no such port is configured. */
  endpointOf(resourceId: string): { host: string; port: number } | null
}
