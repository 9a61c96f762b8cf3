import { BrokerError, type EndReason } from '../session.ts'
import { type Say, toBrokerError } from './words.ts'

/** What a session ends with when that side itself fails. */
export type FailedSide = Extract<EndReason, 'protocol-error' | 'upstream-failed'>

/** How a session ends for an error that was thrown while it was relayed, and what the client is told. */
export function toFailure(
  thrown: unknown,
  side: FailedSide,
): { readonly reason: EndReason; readonly error: BrokerError; readonly say: Say } {
  const error = toBrokerError(thrown)
  const say: Say = (words) => words.error(error)
  if (error.code === 'RECORDING_FAILED' || error.code === 'LIMIT_REACHED')
    return { reason: 'recording-failed', error, say }
  if (error.code === 'INTERNAL') return { reason: side, error, say }
  // What the ledger refuses is caused by the client, even if it is noticed in the server's bytes.
  if (thrown === error || side === 'protocol-error') return { reason: 'protocol-error', error, say }
  return {
    reason: side,
    error,
    say: (words) => words.error(new BrokerError('TARGET_LOST', 'it violated the protocol')),
  }
}
