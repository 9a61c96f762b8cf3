import { BrokerError, type EndReason, type ErrorCode } from '../session.ts'
import { type Say, toBrokerError } from './words.ts'

/** What a session ends with when that side itself fails. */
export type FailedSide = Extract<EndReason, 'protocol-error' | 'upstream-failed'>

/** Met by the broker in an exchange of its own. */
const ofTarget: ReadonlySet<ErrorCode> = new Set([
  'TARGET_UNREACHABLE',
  'TARGET_UNTRUSTED',
  'TARGET_REFUSED',
  'TARGET_LOST',
])

/** How a session ends for an error that was thrown while it was relayed, and what the client is told. */
export function toFailure(
  thrown: unknown,
  side: FailedSide,
): { readonly reason: EndReason; readonly error: BrokerError; readonly say: Say } {
  const error = toBrokerError(thrown)
  const say: Say = (words) => words.error(error)
  if (error.code === 'RECORDING_FAILED' || error.code === 'LIMIT_REACHED')
    return { reason: 'recording-failed', error, say }
  if (error.code === 'INTERNAL' || ofTarget.has(error.code)) return { reason: side, error, say }
  // What the ledger refuses is caused by the client, even if it is noticed in the server's bytes.
  if (thrown === error || side === 'protocol-error') return { reason: 'protocol-error', error, say }
  return {
    reason: side,
    error,
    say: (words) => words.error(new BrokerError('TARGET_LOST', 'it violated the protocol')),
  }
}

/** @returns what it throws, for the log */
export function thrownBy(run: () => void): BrokerError | undefined {
  try {
    run()
    return undefined
  } catch (thrown) {
    return toBrokerError(thrown)
  }
}
