import type { Cluster } from '@aws-sdk/client-eks'
import { BrokerError } from '../../../proxy/session.ts'
import { eachOf } from '../bounded.ts'
import { allPages } from '../pages.ts'
import { nullIf, type ServiceCall } from '../service-caller.ts'
import { type AwsPlace, createPlaceCaller, type EstateDeps, type PlaceOptions } from './place-caller.ts'

/** An EKS cluster. */
export interface ClusterSeen {
  /** Another cluster may have had it before. */
  readonly name: string
  readonly arn: string
  readonly status: string
  /** `https://…`, which no other cluster ever has; null: there is none yet. */
  readonly endpoint: string | null
  /** PEM; null: there is none yet. */
  readonly ca: string | null
  /** e.g. `1.33` */
  readonly version: string
  /** Epoch milliseconds; 0 where AWS says nothing. */
  readonly createdAt: number
  /** Whether its endpoint is reached from outside its network. */
  readonly isPublic: boolean
  /** Whether it is reached from within. */
  readonly isPrivate: boolean
  /** From where it is reached, if it is public. */
  readonly publicCidrs: readonly string[]
  readonly authenticationMode: 'API' | 'API_AND_CONFIG_MAP' | 'CONFIG_MAP'
  readonly hasAuditLog: boolean
  /** ARNs of the principals whose access entries administer it; null: its mode has no entries. */
  readonly admins: readonly string[] | null
  readonly tags: Readonly<Record<string, string>>
}

/** @throws BrokerError AWS_DENIED, AWS_UNAVAILABLE, AWS_REGION_OFF; the signal's reason */
export interface ClusterReader {
  /**
   * All clusters of a region, sorted by name.
   * @param onCluster told how many were read, and of how many
   */
  all(
    place: AwsPlace,
    signal: AbortSignal,
    onCluster?: (done: number, total: number) => void,
  ): Promise<readonly ClusterSeen[]>
  /** Null: there is none. */
  one(place: AwsPlace, name: string, signal: AbortSignal): Promise<ClusterSeen | null>
}

type Eks = Awaited<ReturnType<typeof load>>

const pageSize = 100
/** The pace has as many under way. */
const atOnce = 2

/** The SDK is imported with the first call. */
export function createClusterReader(deps: EstateDeps): ClusterReader {
  const at = createPlaceCaller(deps, {
    service: 'eks',
    title: 'EKS',
    feature: 'discovery',
    pace: { perSecond: 5, burst: 10, atOnce },
    createClient: load,
  })
  return {
    all: async (place, signal, onCluster = () => {}) => {
      const call = at(place)
      const names = await listNames(call, signal)
      const found: ClusterSeen[] = []
      let done = 0
      await eachOf(names, atOnce, async (name) => {
        const cluster = await readCluster(call, place, name, signal)
        if (cluster) found.push(cluster) // else it was deleted meanwhile
        done += 1
        onCluster(done, names.length)
      })
      return found.sort((a, b) => (a.name < b.name ? -1 : 1))
    },
    one: (place, name, signal) => readCluster(at(place), place, name, signal),
  }
}

async function listNames(call: ServiceCall<Eks>, signal: AbortSignal): Promise<string[]> {
  const names = await allPages('ListClusters', async ({ NextToken }) => {
    const page = await call('ListClusters', signal, ({ sdk, client }, options) =>
      client.send(new sdk.ListClustersCommand({ maxResults: pageSize, ...tokenOf(NextToken) }), options),
    )
    return { items: page.clusters, nextToken: page.nextToken }
  })
  return [...new Set(names)]
}

async function readCluster(
  call: ServiceCall<Eks>,
  { partition }: AwsPlace,
  name: string,
  signal: AbortSignal,
): Promise<ClusterSeen | null> {
  return await nullIf(['ResourceNotFound'], async () => {
    const { cluster = {} } = await call('DescribeCluster', signal, ({ sdk, client }, options) =>
      client.send(new sdk.DescribeClusterCommand({ name }), options),
    )
    const seen = toCluster(cluster, name)
    if (seen.authenticationMode === 'CONFIG_MAP') return seen
    return { ...seen, admins: await listAdmins(call, partition, name, signal) }
  })
}

/** EKS filters by policy, so that no entry is asked for by itself. */
async function listAdmins(
  call: ServiceCall<Eks>,
  partition: string,
  clusterName: string,
  signal: AbortSignal,
): Promise<string[]> {
  const associatedPolicyArn = `arn:${partition}:eks::aws:cluster-access-policy/AmazonEKSClusterAdminPolicy`
  const admins = await allPages('ListAccessEntries', async ({ NextToken }) => {
    const page = await call('ListAccessEntries', signal, ({ sdk, client }, options) =>
      client.send(
        new sdk.ListAccessEntriesCommand({
          clusterName,
          associatedPolicyArn,
          maxResults: pageSize,
          ...tokenOf(NextToken),
        }),
        options,
      ),
    )
    return { items: page.accessEntries, nextToken: page.nextToken }
  })
  return [...new Set(admins)].sort()
}

function tokenOf(nextToken: string | undefined) {
  return nextToken === undefined ? {} : { nextToken }
}

const modes = ['API', 'API_AND_CONFIG_MAP', 'CONFIG_MAP'] as const

function toCluster(cluster: Cluster, name: string): ClusterSeen {
  const { arn = '', status, endpoint, certificateAuthority, version = '', createdAt, tags = {} } = cluster
  const { resourcesVpcConfig: network = {}, accessConfig, logging } = cluster
  // What is described is what was asked for: its name goes into ids and calls.
  if (cluster.name !== name || !arn.endsWith(`:cluster/${name}`))
    throw new BrokerError('AWS_UNAVAILABLE', `DescribeCluster of ${name} answered with another cluster`)
  return {
    name,
    arn,
    status: status ?? 'UNKNOWN',
    endpoint: endpoint || null,
    ca: certificateAuthority?.data ? Buffer.from(certificateAuthority.data, 'base64').toString() : null,
    version,
    createdAt: createdAt?.getTime() ?? 0,
    isPublic: network.endpointPublicAccess ?? true,
    isPrivate: network.endpointPrivateAccess ?? false,
    publicCidrs: [...(network.publicAccessCidrs ?? ['0.0.0.0/0'])].sort(),
    authenticationMode: modes.find((one) => one === accessConfig?.authenticationMode) ?? 'CONFIG_MAP',
    hasAuditLog: (logging?.clusterLogging ?? []).some(({ enabled, types }) => enabled && types?.includes('audit')),
    admins: null,
    tags,
  }
}

async function load(options: PlaceOptions) {
  const sdk = await import('@aws-sdk/client-eks')
  return { sdk, client: new sdk.EKSClient(options) }
}
