import { BrokerError } from '../../proxy/session.ts'
import type { Metrics } from '../telemetry/metrics.ts'
import { outcomeOf } from './aws-errors.ts'

/** Counts one call to AWS by its outcome; the caller translates its errors. */
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
    // A BrokerError comes from an earlier call, which was counted there.
    if (!(error instanceof BrokerError)) awsCallsTotal.inc({ ...labels, outcome: outcomeOf(error) })
    throw error
  }
}
