import { BrokerError } from '../../../proxy/session.ts'
import { ClaimsRefused, checkClaims, statementsOf } from '../../../src/audit/append/beside.ts'
import type { Beside } from '../../../src/audit/audit.ts'
import { type Db, transactOn } from '../../../src/store/store.ts'

/** For a log under test that only notes its events: what the audit log commits beside one. @throws BrokerError STALE, AUDIT_UNAVAILABLE */
export async function runBeside(db: Db, beside: Beside = []): Promise<void> {
  const { claims, writes } = statementsOf(beside)
  if (claims.length + writes.length === 0) return
  try {
    await transactOn(db)(claims, (found) => {
      checkClaims([claims], found)
      return writes
    })
  } catch (cause) {
    throw new BrokerError(cause instanceof ClaimsRefused ? 'STALE' : 'AUDIT_UNAVAILABLE', undefined, { cause })
  }
}
