import type { BrokerError } from '../../proxy/session.ts'
import type { Metrics } from '../telemetry/metrics.ts'
import { isCode, isExpired } from './aws-errors.ts'
import { counted } from './counted.ts'
import type { Paced, Urgency } from './paced.ts'

export interface ServiceCallerOptions<C> {
  /** Value of the label `service` of `aws_calls_total`. */
  readonly service: string
  readonly metrics: Pick<Metrics, 'awsCallsTotal'>
  readonly paced: Paced
  /** Left out: no operation is more urgent than the others. */
  urgencyOf?(operation: string): Urgency
  /** Called before the first call, and once more where AWS says that the credentials have expired. */
  createClient(): Promise<C>
  toError(error: unknown, operation: string): BrokerError
}

/** @throws BrokerError as `toError` makes it; the signal's reason once it is aborted */
export type ServiceCall<C> = <T>(
  operation: string,
  signal: AbortSignal,
  send: (client: C, options: { readonly abortSignal: AbortSignal }) => Promise<T>,
) => Promise<T>

/** One client for all calls of one service, each paced, counted and with its errors translated. */
export function createServiceCaller<C>(options: ServiceCallerOptions<C>): ServiceCall<C> {
  const { service, metrics, paced, createClient, toError, urgencyOf = () => 0 } = options
  let client: Promise<C> | undefined
  const once: ServiceCall<C> = async (operation, signal, send) => {
    client ??= createClient().catch((error: unknown) => {
      client = undefined
      throw error
    })
    const ready = await client
    const call = () => counted(metrics, { service, operation }, () => send(ready, { abortSignal: signal }))
    return await paced.run(signal, call, urgencyOf(operation))
  }
  return async (operation, signal, send) => {
    try {
      return await once(operation, signal, send).catch((error: unknown) => {
        if (!isExpired(error)) throw error
        client = undefined
        return once(operation, signal, send)
      })
    } catch (error) {
      signal.throwIfAborted()
      throw toError(error, operation)
    }
  }
}

/** @param codes of AWS, without `Exception`, which say that what was asked for is not there */
export async function nullIf<T>(codes: readonly string[], ask: () => Promise<T>): Promise<T | null> {
  try {
    return await ask()
  } catch (error) {
    if (codes.some((code) => isCode(error, code))) return null
    throw error
  }
}
