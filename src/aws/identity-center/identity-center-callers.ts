import type { Config } from '../../config/config.ts'
import type { Metrics } from '../../telemetry/metrics.ts'
import type { Aws } from '../aws.ts'
import { toIdentityCenterError } from '../aws-errors.ts'
import { clientOptions, hubIdentity } from '../client-options.ts'
import { Paced, retries, type Urgency } from '../paced.ts'
import { createServiceCaller } from '../service-caller.ts'

export interface IdentityCenterCallersDeps {
  readonly aws: Pick<Aws, 'hub'>
  readonly config: Pick<Config['aws'], 'endpoints'>
  readonly metrics: Pick<Metrics, 'awsCallsTotal'>
  /** Where to look; Identity Center has one home. */
  readonly region: string
  /** Left out: half of what AWS allows, which is 20 calls a second for all of Identity Center together. */
  readonly paced?: Paced
}

/** Half of what AWS allows all who call it together. */
export const identityCenterPace = { perSecond: 10, burst: 10, atOnce: 4 } as const

/**
 * Callers of both services, which share one pace: AWS counts them together. What takes access away goes before the states of changes, and
 * these before all else. @param maxAttempts left out: as many as readings have
 */
export function createIdentityCenterCallers(
  { aws, config, metrics, region, paced = new Paced(identityCenterPace) }: IdentityCenterCallersDeps,
  maxAttempts: number = retries.maxAttempts,
) {
  const options = async (service: string) => ({
    ...(await clientOptions(config, service)),
    ...{ ...retries, maxAttempts, region },
    credentials: await hubIdentity(aws),
  })
  const shared = { metrics, paced, urgencyOf }
  return {
    sso: createServiceCaller({
      ...shared,
      service: 'sso',
      createClient: async () => {
        const sdk = await import('@aws-sdk/client-sso-admin')
        return { sdk, client: new sdk.SSOAdminClient(await options('sso')) }
      },
      toError: (error, operation) => toIdentityCenterError(error, `sso:${operation}`),
    }),
    store: createServiceCaller({
      ...shared,
      service: 'identitystore',
      createClient: async () => {
        const sdk = await import('@aws-sdk/client-identitystore')
        return { sdk, client: new sdk.IdentitystoreClient(await options('identitystore')) }
      },
      toError: (error, operation) => toIdentityCenterError(error, `identitystore:${operation}`),
    }),
  }
}

function urgencyOf(operation: string): Urgency {
  if (operation.startsWith('Delete')) return 2
  return operation.endsWith('Status') ? 1 : 0
}
