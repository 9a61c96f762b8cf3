import { BrokerError } from '../../../proxy/session.ts'
import { outcomeOf } from '../../aws/aws-errors.ts'
import type { Reading } from './unit.ts'

/** The broker has no role in an account: a state of the account, not a failure. */
export class NotOnboarded extends Error {
  constructor(account: string, cause: BrokerError) {
    super(`the broker has no role in account ${account}: ${cause.message}`, { cause })
    this.name = 'NotOnboarded'
  }
}

/** How a reading failed, in words for people. */
export function failedReading(error: unknown): Extract<Reading, { error: string }> {
  if (error instanceof NotOnboarded)
    return { outcome: 'not-onboarded', error: error.message, fix: 'make its roles: sallyport aws onboard' }
  if (!(error instanceof BrokerError)) {
    const isLate = error instanceof Error && error.name === 'TimeoutError'
    const text = isLate ? 'the reading timed out' : 'it could not be read'
    return { outcome: 'error', error: text, fix: "see the daemon's log" }
  }
  const { message, hint = "see the daemon's log" } = error
  return { outcome: kindOfFailure(error), error: message, fix: hint }
}

function kindOfFailure({ code, cause }: BrokerError): 'denied' | 'disabled' | 'throttled' | 'error' {
  if ((code as string) === 'AWS_REGION_OFF') return 'disabled'
  if (code === 'AWS_DENIED') return 'denied'
  return cause !== undefined && outcomeOf(cause) === 'throttled' ? 'throttled' : 'error'
}

/** This daemon does not lead any more. */
export function isOver(error: unknown): boolean {
  return error instanceof BrokerError && (error.code === 'NOT_LEADER' || error.code === 'STALE')
}
