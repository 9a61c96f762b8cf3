import { createPlaceCaller, type EstateDeps, type PlaceOptions } from './place-caller.ts'

/** Its SDK is the largest of all: it is imported with the first call. */
export type Ec2 = Awaited<ReturnType<typeof load>>

/** EC2 in any account and region; half of what AWS refills in a second for lists in pages. */
export function ec2Caller(deps: EstateDeps) {
  return createPlaceCaller(deps, {
    service: 'ec2',
    title: 'EC2',
    feature: 'discovery',
    pace: { perSecond: 10, burst: 20, atOnce: 4 },
    createClient: load,
  })
}

async function load(options: PlaceOptions) {
  const sdk = await import('@aws-sdk/client-ec2')
  return { sdk, client: new sdk.EC2Client(options) }
}
