import { BrokerError } from '../../../proxy/session.ts'
import { partitionOfRegion } from '../partitions.ts'
import type { ServiceCall } from '../service-caller.ts'
import { type Ec2, ec2Caller } from './ec2.ts'
import type { AwsPlace, EstateDeps } from './place-caller.ts'

/**
 * The regions that an account has switched on.
 * @param place with the region to ask, which every account of the partition has
 * @returns names, sorted; of its partition alone
 * @throws BrokerError AWS_DENIED, AWS_UNAVAILABLE, AWS_REGION_OFF; the signal's reason
 */
export type ReadRegions = (place: AwsPlace, signal: AbortSignal) => Promise<readonly string[]>

export function createRegionReader(deps: EstateDeps): ReadRegions {
  const at = ec2Caller(deps)
  return async (place, signal) => await readRegions(at(place), place, signal)
}

async function readRegions(call: ServiceCall<Ec2>, { partition, account }: AwsPlace, signal: AbortSignal) {
  const { Regions = [] } = await call('DescribeRegions', signal, ({ sdk, client }, options) =>
    client.send(new sdk.DescribeRegionsCommand({ AllRegions: false }), options),
  )
  const on = Regions.filter(({ OptInStatus }) => OptInStatus !== 'not-opted-in')
  const names = on.flatMap(({ RegionName = '' }) => (partitionOfRegion(RegionName) === partition ? [RegionName] : []))
  if (names.length === 0)
    throw new BrokerError('AWS_UNAVAILABLE', `DescribeRegions: account ${account} has no region of ${partition}`)
  return [...new Set(names)].sort()
}
