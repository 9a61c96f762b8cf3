import { type ClusterSeen, createClusterReader } from '../../aws/estate/clusters.ts'
import type { Resource } from '../../catalog/resource.ts'
import type { Discovery, DiscoveryParts } from '../../inventory/discovery.ts'
import { inRegion, type RegionPlace } from '../places.ts'
import { clusterRisk, isOpen } from './risk.ts'

/** Clusters as EKS has them. */
export async function clusterDiscoveries({ aws, config, metrics }: DiscoveryParts): Promise<readonly Discovery[]> {
  const reader = createClusterReader({ aws, config, metrics })
  return [
    {
      name: 'eks-cluster',
      per: 'region',
      service: 'eks',
      read: async (where, { signal, onProgress }) => {
        const place = inRegion(where)
        const onCluster = (done: number, total: number) => onProgress?.({ phase: 'clusters', done, total })
        const found = await reader.all(place, signal, onCluster)
        return found.map((one) => clusterResource(place, one))
      },
      readOne: async (where, resourceId, { signal }) => {
        const place = inRegion(where)
        const found = await reader.one(place, resourceId.slice(resourceId.lastIndexOf('/') + 1), signal)
        return found && clusterResource(place, found)
      },
    },
  ]
}

/** While a cluster has no endpoint it is no target yet, and not in the catalog. */
export function clusterResource({ partition, account, region }: RegionPlace, one: ClusterSeen): Resource {
  const { name, status, endpoint, version, authenticationMode, tags } = one
  const risk = clusterRisk({ account, region }, one)
  return {
    id: `eks-cluster/${account}/${region}/${name}`,
    kind: 'eks-cluster',
    ...{ partition, organization: null, account, region, name, tags },
    attributes: {
      ...(endpoint === null ? {} : { endpoint }),
      status,
      version,
      authentication_mode: authenticationMode,
      reached_from: reachedFrom(one),
    },
    source: 'discovery',
    ...(risk.length > 0 ? { risk } : {}),
  }
}

function reachedFrom({ isPublic, isPrivate, publicCidrs }: ClusterSeen): string {
  const within = isPrivate ? ['its network'] : []
  if (!isPublic) return within.join()
  return publicCidrs.some(isOpen) ? 'anywhere' : [...within, ...publicCidrs].join(', ')
}
