import { createInstanceReader, type InstanceSeen } from '../../aws/estate/instances.ts'
import { createProfileReader, type ProfilePowers } from '../../aws/estate/profiles.ts'
import type { Resource } from '../../catalog/resource.ts'
import type { Discovery, DiscoveryParts } from '../../inventory/discovery.ts'
import { inRegion, type RegionPlace } from '../places.ts'
import { instanceRisk } from './found/risk.ts'

/** Instances as EC2 has them, with the state of their agents. */
export async function instanceDiscoveries({
  aws,
  clock,
  config,
  metrics,
}: DiscoveryParts): Promise<readonly Discovery[]> {
  const reader = createInstanceReader({ aws, config, metrics })
  const readProfiles = createProfileReader({ aws, config, metrics }, () => clock.now())
  const toResources = async (place: RegionPlace, found: readonly InstanceSeen[], signal: AbortSignal) => {
    const hasProfiles = found.some(({ profile }) => profile !== null)
    const profiles = hasProfiles ? await readProfiles(place, signal) : null
    return found.map((one) => instanceResource(place, one, profiles?.get(one.profile ?? '')))
  }
  return [
    {
      name: 'ec2-instance',
      per: 'region',
      service: 'ec2',
      read: async (where, { signal, onProgress }) => {
        const place = inRegion(where)
        const found = await reader.all(place, signal, (done) => onProgress?.({ phase: 'instances', done }))
        return await toResources(place, found, signal)
      },
      readOne: async (where, resourceId, { signal }) => {
        const place = inRegion(where)
        const found = await reader.one(place, resourceId.slice(resourceId.lastIndexOf('/') + 1), signal)
        return found && ((await toResources(place, [found], signal))[0] ?? null)
      },
    },
  ]
}

/**
 * Nothing in it changes by itself while the instance and its agent stay as they are.
 * @param powers of its instance profile; left out: none that is known
 */
export function instanceResource(
  { partition, account, region }: RegionPlace,
  one: InstanceSeen,
  powers?: ProfilePowers,
): Resource {
  const { id, title, state, platform, agent, privateAddress, vpc, profile, tags } = one
  const risk = instanceRisk(region, one, powers)
  return {
    id: `ec2-instance/${account}/${region}/${id}`,
    kind: 'ec2-instance',
    ...{ partition, organization: null, account, region, name: id, tags },
    attributes: {
      ...(title === null ? {} : { title }),
      state,
      os: platform,
      agent: agent === null ? 'none' : agent.isOnline ? 'online' : 'lost',
      ...(agent === null ? {} : { agent_version: agent.version }),
      ...(privateAddress === null ? {} : { address: privateAddress }),
      ...(vpc === null ? {} : { vpc }),
      ...(profile === null ? {} : { profile }),
    },
    source: 'discovery',
    ...(risk.length > 0 ? { risk } : {}),
  }
}
