import { BrokerError } from '../../proxy/session.ts'
import type { Place } from '../inventory/discovery.ts'

/** A place in a region. */
export type RegionPlace = Place & { readonly region: string }

/** @throws BrokerError INTERNAL: it is read by region */
export function inRegion({ region, ...place }: Place): RegionPlace {
  if (region === null) throw new BrokerError('INTERNAL', 'this is read in a region')
  return { ...place, region }
}
