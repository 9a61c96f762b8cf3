import type { BrokerError } from '../../../proxy/session.ts'
import type { Config } from '../../config/config.ts'
import type { Metrics } from '../../telemetry/metrics.ts'
import type { Aws } from '../aws.ts'
import { clientOptions, toIdentity } from '../client-options.ts'
import { type Pace, Paced, retries } from '../paced.ts'
import { createServiceCaller, type ServiceCall } from '../service-caller.ts'
import { toEstateError } from './estate-errors.ts'

/** Where something is read. */
export interface AwsPlace {
  readonly partition: string
  /** 12 digits. */
  readonly account: string
  readonly region: string
}

export interface EstateDeps {
  readonly aws: Pick<Aws, 'spoke'>
  readonly config: Pick<Config['aws'], 'endpoints'>
  readonly metrics: Pick<Metrics, 'awsCallsTotal'>
  /** Left out: that of the service. */
  readonly pace?: Pace
}

/** Options that every client of the service takes. */
export type PlaceOptions = Awaited<ReturnType<typeof clientOptions>> & {
  readonly retryMode: string
  readonly maxAttempts: number
  readonly region: string
  credentials(): Promise<ReturnType<typeof toIdentity>>
}

export interface PlaceCallerOptions<C> {
  /** In endpoints, metrics and, before a colon, in the names of actions: `ec2`. */
  readonly service: string
  /** For people: `EC2`. */
  readonly title: string
  /** Of `aws policies`, that prints what the spoke role needs. */
  readonly feature: string
  /** What one account may be asked in one region; a service without regions is asked in one alone. */
  readonly pace: Pace
  /** How long an answer may take to begin, in one attempt; left out: as for every service. */
  readonly requestMs?: number
  /** Imports the SDK. */
  createClient(options: PlaceOptions): Promise<C>
}

/** Of clients; what waits in the pace of a place that is dropped goes on. */
const mostPlaces = 256
/** Buckets are small, and one that is new is full. */
const mostPaces = 20_000

/**
 * Calls of one service with the spoke role of each account, paced for each account and region. Made once for all readers of the service.
 * @returns calls that throw BrokerError AWS_DENIED, AWS_UNAVAILABLE, AWS_REGION_OFF
 */
export function createPlaceCaller<C>(deps: EstateDeps, options: PlaceCallerOptions<C>) {
  const { aws, config, metrics } = deps
  const { service, createClient } = options
  const paces = new Map<string, Paced>()
  const callers = new Map<string, ServiceCall<C>>()
  let shared: ReturnType<typeof clientOptions> | undefined
  const create = (place: AwsPlace, key: string): ServiceCall<C> =>
    createServiceCaller({
      service,
      metrics,
      paced: kept(paces, key, mostPaces, () => new Paced(deps.pace ?? options.pace)),
      createClient: async () => {
        shared ??= clientOptions(config, service, options.requestMs) // so that all use the same connections
        const credentials = () => aws.spoke(place).then(toIdentity)
        return await createClient({ ...(await shared), ...retries, region: place.region, credentials })
      },
      toError: (error, operation): BrokerError => toEstateError(error, { ...options, operation, ...place }),
    })
  return (place: AwsPlace): ServiceCall<C> => {
    const key = `${place.account}/${place.region}`
    return kept(callers, key, mostPlaces, () => create(place, key))
  }
}

/** What was used longest ago goes. */
function kept<T>(all: Map<string, T>, key: string, most: number, make: () => T): T {
  const one = all.get(key) ?? make()
  all.delete(key)
  all.set(key, one)
  const [oldest] = all.keys()
  if (all.size > most && oldest !== undefined) all.delete(oldest)
  return one
}
