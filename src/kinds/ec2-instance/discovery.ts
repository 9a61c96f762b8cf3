import { createInstanceReader, type InstanceSeen } from '../../aws/estate/instances.ts'
import type { Resource } from '../../catalog/resource.ts'
import type { RiskFact } from '../../catalog/risk.ts'
import type { Discovery, DiscoveryParts } from '../../inventory/discovery.ts'
import { inRegion, type RegionPlace } from '../places.ts'

/** Instances as EC2 has them, with the state of their agents. */
export async function instanceDiscoveries({ aws, config, metrics }: DiscoveryParts): Promise<readonly Discovery[]> {
  const reader = createInstanceReader({ aws, config, metrics })
  return [
    {
      name: 'ec2-instance',
      per: 'region',
      service: 'ec2',
      read: async (where, { signal, onProgress }) => {
        const place = inRegion(where)
        const found = await reader.all(place, signal, (done) => onProgress?.({ phase: 'instances', done }))
        return found.map((one) => instanceResource(place, one))
      },
      readOne: async (where, resourceId, { signal }) => {
        const place = inRegion(where)
        const found = await reader.one(place, resourceId.slice(resourceId.lastIndexOf('/') + 1), signal)
        return found && instanceResource(place, found)
      },
    },
  ]
}

/** Nothing in it changes by itself while the instance and its agent stay as they are. */
export function instanceResource({ partition, account, region }: RegionPlace, one: InstanceSeen): Resource {
  const { id, title, state, platform, agent, privateAddress, vpc, profile, tags } = one
  const risk = instanceRisk(region, one)
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

export function instanceRisk(region: string, { id, imds, profile }: InstanceSeen): RiskFact[] {
  if (imds !== 'optional') return []
  const gives = profile === null ? 'it has no instance profile' : `it gives the credentials of ${profile}`
  return [
    {
      code: 'imds-v1',
      severity: profile === null ? 'low' : 'medium',
      reason: `its metadata service answers without a token (IMDSv1), so that a program that can be made to fetch an address gives away what is there: ${gives}`,
      fix: `aws ec2 modify-instance-metadata-options --region ${region} --instance-id ${id} --http-tokens required`,
    },
  ]
}
