import { BrokerError } from '../../../proxy/session.ts'
import { isDenial, toServiceError } from '../aws-errors.ts'

export interface EstateCall {
  readonly service: string
  readonly title: string
  readonly feature: string
  readonly operation: string
  readonly account: string
  readonly region: string
}

/**
 * What services say where a region is not switched on for the account. The keys come fresh from STS, so that they are not wrong in
 * themselves; a wrong clock is told by other codes.
 */
const regionOff = new Set(['UnrecognizedClient', 'AuthFailure', 'OptInRequired', 'InvalidClientTokenId'])

/** Translates an error of a service that was asked by the spoke role of an account. */
export function toEstateError(error: unknown, call: EstateCall): BrokerError {
  if (error instanceof BrokerError) return error
  const { service, title, feature, operation, account, region } = call
  if (regionOff.has((error as Error).name.replace(/Exception$/, '')))
    return new BrokerError('AWS_REGION_OFF', `${region} in account ${account}`, { cause: error })
  if (isDenial(error))
    return new BrokerError('AWS_DENIED', `${service}:${operation} is not allowed in account ${account}, ${region}`, {
      cause: error,
      hint: `The spoke role needs it, as \`sallyport aws policies --feature ${feature}\` prints, and no policy of the organization may deny it there.`,
    })
  return toServiceError(error, title)
}
