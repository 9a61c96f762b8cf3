import type { ErrorCode } from '../../../proxy/session.ts'
import type { StepUp } from '../admission.ts'

/** What a connect token takes from the grant that it is issued for. */
export interface TokenGrant {
  readonly id: string
  readonly resourceId: string
  readonly level: string
  /** Epoch milliseconds. */
  readonly endsAt: number
  readonly ruleName: string
}

/** What its rule says of them. */
export interface TokenRule extends StepUp {
  readonly connectTokenMaxMs: number
}

/** What connect tokens need from access, which lies above identity and depends on it. */
export interface TokenGrants {
  check(ask: {
    principalId: string
    resource: string
    level?: string
    grantId?: string
  }): Promise<
    | { readonly allowed: true; readonly grant: TokenGrant; readonly rule: TokenRule }
    | { readonly allowed: false; readonly code: ErrorCode; readonly reason: string; readonly hint?: string }
  >
}
