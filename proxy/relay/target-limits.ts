/** What targets cannot do, in the same words for every protocol. */
import { BrokerError } from '../session.ts'

/** Instead of a cancel. */
export function carriesNoCancel(): BrokerError {
  return new BrokerError('UNSUPPORTED', 'RDS Proxy carries no cancel, so a statement that is running may finish')
}

export const answeredByReader = 'the endpoint for writing was answered by a server that only reads'
export const readerHint =
  'A failover is under way, or the name of the endpoint has not moved yet: connect again in a few seconds.'
