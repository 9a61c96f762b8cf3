/**
 * Databases of RDS and Aurora in one region (Amazon RDS API Reference, version 2014-10-31): instances, clusters and custom endpoints. Neptune,
 * DocumentDB and engines that no kind is for are left out: those APIs list them too.
 */
import type { DBCluster, DBClusterEndpoint, DBInstance, Tag } from '@aws-sdk/client-rds'
import { BrokerError } from '../../../proxy/session.ts'
import type { ServiceCall } from '../service-caller.ts'
import type { Rds } from './rds.ts'

/** Engines that are read, with the protocol that they speak. */
const engines: Readonly<Record<string, 'postgres' | 'mysql'>> = {
  postgres: 'postgres',
  'aurora-postgresql': 'postgres',
  mysql: 'mysql',
  mariadb: 'mysql',
  'aurora-mysql': 'mysql',
}

/** An instance by itself, or a cluster with its members. */
export interface DatabaseSeen {
  readonly type: 'instance' | 'cluster'
  readonly protocol: 'postgres' | 'mysql'
  /** `aurora-postgresql` */
  readonly engine: string
  readonly version: string
  /** DBInstanceIdentifier or DBClusterIdentifier: lower-case letters, digits and hyphens. */
  readonly name: string
  readonly arn: string
  /** DbiResourceId or DbClusterResourceId, which AWS gives to no other. */
  readonly resourceId: string
  /** Epoch milliseconds; 0 where AWS says nothing. */
  readonly createdAt: number
  /** `available`, `stopped` … */
  readonly status: string
  /** Null: it has none yet. Of a cluster: the writer. */
  readonly endpoint: Endpoint | null
  /** Of a cluster with readers. */
  readonly reader: Endpoint | null
  readonly custom: readonly (Endpoint & { readonly name: string })[]
  /** Members of a cluster, the writer first. */
  readonly members: readonly string[]
  /** Made with it; null: none was, or it is not known. */
  readonly database: string | null
  readonly hasIam: boolean
  /** It, or a member of it, has an address that anyone can reach. */
  readonly isPublic: boolean
  /** `rds-ca-rsa2048-g1`; null: not known. */
  readonly ca: string | null
  readonly tags: Readonly<Record<string, string>>
}

export interface Endpoint {
  readonly host: string
  readonly port: number
}

export interface DatabaseReadOptions {
  readonly signal: AbortSignal
  readonly onPage?: (done: number) => void
}

/** As the API names the filter. */
const Filters = [{ Name: 'engine', Values: Object.keys(engines) }]
const MaxRecords = 100
const mostPages = 10_000

/**
 * All databases of the region, sorted by type and name.
 * @throws BrokerError AWS_DENIED, AWS_REGION_OFF, AWS_UNAVAILABLE, then nothing was read; the signal's reason once it is aborted
 */
export async function readDatabases(
  call: ServiceCall<Rds>,
  account: string,
  options: DatabaseReadOptions,
): Promise<readonly DatabaseSeen[]> {
  const { signal, onPage = () => {} } = options
  const instances = await allRecords('DescribeDBInstances', async (Marker) => {
    const page = await call('DescribeDBInstances', signal, ({ sdk, client }, sent) =>
      client.send(new sdk.DescribeDBInstancesCommand({ Filters, MaxRecords, ...Marker }), sent),
    )
    return { items: page.DBInstances, marker: page.Marker }
  })
  onPage(instances.length)
  const clusters = await allRecords('DescribeDBClusters', async (Marker) => {
    const page = await call('DescribeDBClusters', signal, ({ sdk, client }, sent) =>
      client.send(new sdk.DescribeDBClustersCommand({ Filters, MaxRecords, ...Marker }), sent),
    )
    return { items: page.DBClusters, marker: page.Marker }
  })
  const isAurora = clusters.some(({ Engine = '' }) => Engine.startsWith('aurora'))
  const endpoints = isAurora ? await readEndpoints(call, signal) : []
  onPage(instances.length + clusters.length)
  return assemble(account, { instances, clusters, endpoints })
}

/** Only clusters of Aurora have custom ones. */
async function readEndpoints(call: ServiceCall<Rds>, signal: AbortSignal): Promise<DBClusterEndpoint[]> {
  return await allRecords('DescribeDBClusterEndpoints', async (Marker) => {
    const Custom = [{ Name: 'db-cluster-endpoint-type', Values: ['custom'] }]
    const page = await call('DescribeDBClusterEndpoints', signal, ({ sdk, client }, sent) =>
      client.send(new sdk.DescribeDBClusterEndpointsCommand({ Filters: Custom, MaxRecords, ...Marker }), sent),
    )
    return { items: page.DBClusterEndpoints, marker: page.Marker }
  })
}

/** A page may be empty and still have a marker: only a missing one ends the list. */
async function allRecords<T>(
  operation: string,
  ask: (marker: { Marker?: string }) => Promise<{ items: T[] | undefined; marker: string | undefined }>,
): Promise<T[]> {
  const all: T[] = []
  const markers = new Set<string>()
  for (let marker: string | undefined; markers.size < mostPages; ) {
    const { items = [], marker: next } = await ask(marker === undefined ? {} : { Marker: marker })
    all.push(...items)
    if (!next) return all
    if (markers.has(next)) break
    markers.add(next)
    marker = next
  }
  throw new BrokerError('AWS_UNAVAILABLE', `${operation}: the pages of the list do not end`)
}

interface Records {
  readonly instances: readonly DBInstance[]
  readonly clusters: readonly DBCluster[]
  readonly endpoints: readonly DBClusterEndpoint[]
}

/** One for each cluster and for each instance that belongs to none. Clusters that span several zones are listed as both. */
function assemble(account: string, { instances, clusters, endpoints }: Records): DatabaseSeen[] {
  const known = clusters.filter(({ Engine = '' }) => Object.hasOwn(engines, Engine))
  const members = Map.groupBy(instances, ({ DBClusterIdentifier = '' }) => DBClusterIdentifier)
  // A member whose cluster is not listed is on its way out.
  const alone = (members.get('') ?? []).filter(({ Engine = '' }) => Object.hasOwn(engines, Engine))
  return [
    ...alone.map((one) => toInstance(one, account)),
    ...known.map((one) => toCluster(one, account, members.get(one.DBClusterIdentifier ?? '') ?? [], endpoints)),
  ].sort((a, b) => (`${a.type}/${a.name}` < `${b.type}/${b.name}` ? -1 : 1))
}

function toInstance(one: DBInstance, account: string): DatabaseSeen {
  const { DBInstanceIdentifier: name = '', DBInstanceArn: arn = '', DbiResourceId, Endpoint: at } = one
  checkIdentity('DescribeDBInstances', { arn, account, resourceId: DbiResourceId, form: /^db-[A-Za-z0-9]+$/, name })
  return {
    type: 'instance',
    ...sharedOf(one),
    name,
    arn,
    resourceId: DbiResourceId ?? '',
    createdAt: one.InstanceCreateTime?.getTime() ?? 0,
    status: one.DBInstanceStatus ?? 'unknown',
    endpoint: endpointOf(at?.Address, at?.Port),
    reader: null,
    custom: [],
    members: [],
    database: one.DBName || null,
    hasIam: one.IAMDatabaseAuthenticationEnabled === true,
    isPublic: one.PubliclyAccessible === true,
    ca: one.CACertificateIdentifier ?? null,
  }
}

function toCluster(
  one: DBCluster,
  account: string,
  instances: readonly DBInstance[],
  endpoints: readonly DBClusterEndpoint[],
): DatabaseSeen {
  const {
    DBClusterIdentifier: name = '',
    DBClusterArn: arn = '',
    DbClusterResourceId,
    Port,
    DBClusterMembers = [],
  } = one
  const form = /^cluster-[A-Za-z0-9]+$/
  checkIdentity('DescribeDBClusters', { arn, account, resourceId: DbClusterResourceId, form, name })
  const members = DBClusterMembers.toSorted((a, b) => Number(b.IsClusterWriter) - Number(a.IsClusterWriter))
  const custom = endpoints
    .filter(({ DBClusterIdentifier }) => DBClusterIdentifier === name)
    .flatMap(({ DBClusterEndpointIdentifier: id, Endpoint: host }) => {
      const at = endpointOf(host, Port)
      return id === undefined || at === null ? [] : [{ name: id, ...at }]
    })
  return {
    type: 'cluster',
    ...sharedOf(one),
    name,
    arn,
    resourceId: DbClusterResourceId ?? '',
    createdAt: one.ClusterCreateTime?.getTime() ?? 0,
    status: one.Status ?? 'unknown',
    endpoint: endpointOf(one.Endpoint, Port),
    reader: endpointOf(one.ReaderEndpoint, Port),
    custom: custom.sort((a, b) => (a.name < b.name ? -1 : 1)),
    members: members.flatMap(({ DBInstanceIdentifier }) => DBInstanceIdentifier ?? []),
    database: one.DatabaseName || null,
    hasIam: one.IAMDatabaseAuthenticationEnabled === true,
    isPublic:
      one.PubliclyAccessible === true || instances.some(({ PubliclyAccessible }) => PubliclyAccessible === true),
    ca: instances.find(({ CACertificateIdentifier }) => CACertificateIdentifier)?.CACertificateIdentifier ?? null,
  }
}

interface Shared {
  readonly Engine?: string | undefined
  readonly EngineVersion?: string | undefined
  readonly TagList?: readonly Tag[] | undefined
}

function sharedOf({ Engine = '', EngineVersion = '', TagList = [] }: Shared) {
  return {
    protocol: engines[Engine] ?? 'postgres',
    engine: Engine,
    version: EngineVersion,
    tags: Object.fromEntries(TagList.map(({ Key = '', Value = '' }) => [Key, Value])),
  }
}

function endpointOf(host: string | undefined, port: number | undefined): Endpoint | null {
  return host ? { host, port: port ?? 0 } : null
}

interface Identity {
  readonly arn: string
  readonly account: string
  readonly resourceId: string | undefined
  readonly form: RegExp
  readonly name: string
}

/** Ids and names become ids of resources. */
function checkIdentity(operation: string, { arn, account, resourceId = '', form, name }: Identity): void {
  if (arn.split(':')[4] !== account || !form.test(resourceId) || !/^[a-zA-Z][a-zA-Z0-9-]{0,62}$/.test(name))
    throw new BrokerError('AWS_UNAVAILABLE', `${operation} answered with a database that is none: ${arn.slice(0, 200)}`)
}
