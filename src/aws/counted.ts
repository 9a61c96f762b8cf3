import { BrokerError } from '../../proxy/session.ts'
import type { Metrics } from '../telemetry/metrics.ts'
import { outcomeOf } from './aws-errors.ts'

/** Counts one call to AWS by what came of it; what it throws is the caller's to translate. */
export async function counted<T>(
  { awsCallsTotal }: Pick<Metrics, 'awsCallsTotal'>,
  labels: { readonly service: string; readonly operation: string },
  call: () => Promise<T>,
): Promise<T> {
  try {
    const answer = await call()
    awsCallsTotal.inc({ ...labels, outcome: 'ok' })
    return answer
  } catch (error) {
    // Ours come from calls before this one, which were counted there.
    if (!(error instanceof BrokerError)) awsCallsTotal.inc({ ...labels, outcome: outcomeOf(error) })
    throw error
  }
}
