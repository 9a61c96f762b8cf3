import type { ErrorCode } from '../../../proxy/session.ts'
import type { Login } from '../principal.ts'

/** What a connect token takes from the grant that it is issued for. */
export interface TokenGrant {
  readonly id: string
  readonly resourceId: string
  readonly level: string
  /** Epoch milliseconds. */
  readonly endsAt: number
  readonly ruleName: string
}

/** What connect tokens need from access, which lies above identity and depends on it. */
export interface TokenGrants {
  check(ask: {
    principalId: string
    resource: string
    level?: string
    grantId?: string
  }): Promise<
    | { readonly allowed: true; readonly grant: TokenGrant }
    | { readonly allowed: false; readonly code: ErrorCode; readonly reason: string; readonly hint?: string }
  >
  /** @throws BrokerError LOGIN_TOO_OLD, INTERACTIVE_REQUIRED, GRANT_DENIED, GRANT_EXPIRED */
  connectTokenPolicy(grant: TokenGrant, login: Login): { maxMs: number }
}
