import { createPlaceCaller, type EstateDeps, type PlaceOptions } from './place-caller.ts'

export type Rds = Awaited<ReturnType<typeof load>>

/** RDS in any account and region. */
export function rdsCaller(deps: EstateDeps) {
  return createPlaceCaller(deps, {
    service: 'rds',
    title: 'RDS',
    feature: 'discovery',
    pace: { perSecond: 5, burst: 10, atOnce: 2 },
    createClient: load,
  })
}

async function load(options: PlaceOptions) {
  const sdk = await import('@aws-sdk/client-rds')
  return { sdk, client: new sdk.RDSClient(options) }
}
