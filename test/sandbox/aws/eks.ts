import { callerContext, refusal } from './authorize.ts'
import { AwsFault } from './aws-fault.ts'
import type { Caller } from './callers.ts'
import type { Cluster, ClusterEntry, World } from './world.ts'

interface EksDeps {
  readonly world: World
  isDenied(action: string): boolean
}

interface EksCall {
  readonly region: string
  readonly method: string
  /** Path and query. */
  readonly target: string
  readonly now: number
}

interface Route {
  readonly operation:
    | 'ListClusters'
    | 'DescribeCluster'
    | 'ListAccessEntries'
    | 'DescribeAccessEntry'
    | 'ListAssociatedAccessPolicies'
  /** Empty: of none. */
  readonly cluster: string
  /** Empty: of none. */
  readonly principalArn: string
  readonly query: URLSearchParams
}

const operations = [
  ['ListClusters', /^\/clusters$/],
  ['DescribeCluster', /^\/clusters\/([^/]+)$/],
  ['ListAccessEntries', /^\/clusters\/([^/]+)\/access-entries$/],
  ['DescribeAccessEntry', /^\/clusters\/([^/]+)\/access-entries\/([^/]+)$/],
  ['ListAssociatedAccessPolicies', /^\/clusters\/([^/]+)\/access-entries\/([^/]+)\/access-policies$/],
] as const
const queries: Readonly<Record<Route['operation'], readonly string[]>> = {
  ListClusters: ['maxResults', 'nextToken'],
  DescribeCluster: [],
  ListAccessEntries: ['associatedPolicyArn', 'maxResults', 'nextToken'],
  DescribeAccessEntry: [],
  ListAssociatedAccessPolicies: ['maxResults', 'nextToken'],
}

/** Those of EKS's REST API that read clusters and who may enter them (EKS API Reference). @throws AwsFault */
export function eksRoute({ method, target }: Pick<EksCall, 'method' | 'target'>): Route {
  const [path = '', search = ''] = target.split('?')
  for (const [operation, pattern] of operations) {
    const found = pattern.exec(path)
    if (method !== 'GET' || !found) continue
    const [, cluster = '', principal = ''] = found
    const query = new URLSearchParams(search)
    for (const name of query.keys())
      if (!queries[operation].includes(name)) throw invalid(`${operation} has no parameter ${name}`)
    return { operation, cluster, principalArn: decodeURIComponent(principal), query }
  }
  throw new AwsFault('NotImplemented', 501, 'only what reads clusters and access entries is here')
}

/** Members of path and query, as AWS's models name them. */
export function eksInput({ operation, cluster, principalArn, query }: Route): object {
  const most = query.get('maxResults')
  return {
    ...Object.fromEntries(query),
    ...(most === null ? {} : { maxResults: Number(most) }),
    ...(principalArn === '' ? {} : { principalArn }),
    ...(cluster === '' ? {} : { [operation === 'DescribeCluster' ? 'name' : 'clusterName']: cluster }),
  }
}

/** @returns the body of the answer @throws AwsFault */
export function answerEks({ world, isDenied }: EksDeps, caller: Caller, call: EksCall): object {
  const route = eksRoute(call)
  const { operation } = route
  const [, partition = 'aws'] = caller.arn.split(':')
  const place = `arn:${partition}:eks:${call.region}:${caller.account}`
  const cluster = world.clusters.find(
    (one) => one.name === route.cluster && one.region === call.region && one.account === caller.account,
  )
  const arn = operation === 'ListClusters' ? '*' : arnOf(place, route)
  const action = `eks:${operation}`
  const access = { action, resource: arn, context: callerContext(world, caller, call.now, arn) }
  const why = isDenied(action) ? 'denied by a fault knob' : refusal(world, caller, access)
  if (why)
    throw new AwsFault(
      'AccessDeniedException',
      403,
      `User: ${caller.arn} is not authorized to perform: ${action} on resource: ${arn}`,
      why,
    )
  if (operation === 'ListClusters') {
    const names = world.clusters
      .filter((one) => one.region === call.region && one.account === caller.account)
      .map(({ name }) => name)
    const { items, more } = paged(world, names, route.query)
    return { clusters: items, ...more }
  }
  if (!cluster) throw new AwsFault('ResourceNotFoundException', 404, `No cluster found for name: ${route.cluster}.`)
  if (operation === 'DescribeCluster') return { cluster: describe(cluster, arn) }
  if (cluster.authenticationMode === 'CONFIG_MAP')
    throw new AwsFault(
      'InvalidRequestException',
      400,
      "The cluster's authentication mode must be set to one of [API, API_AND_CONFIG_MAP] to perform this operation.",
    )
  return answerEntries(world, cluster, route, arn)
}

function answerEntries(world: World, cluster: Cluster, { operation, principalArn, query }: Route, arn: string): object {
  if (operation === 'ListAccessEntries') {
    const policy = query.get('associatedPolicyArn')?.split('cluster-access-policy/')[1]
    const found = cluster.accessEntries.filter(
      ({ policies }) => policy === undefined || policies.some(({ name }) => name === policy),
    )
    const { items, more } = paged(world, found, query)
    return { accessEntries: items.map((entry) => entry.principalArn), ...more }
  }
  const entry = cluster.accessEntries.find((one) => one.principalArn === principalArn)
  if (!entry)
    throw new AwsFault(
      'ResourceNotFoundException',
      404,
      `The specified principalArn could not be found. You can view your available access entries with 'list-access-entries'.`,
    )
  if (operation === 'DescribeAccessEntry') return { accessEntry: describeEntry(cluster, entry, arn) }
  const { items, more } = paged(world, entry.policies, query)
  const associatedAccessPolicies = items.map(({ name, namespaces }) => ({
    policyArn: `${arn.split(':').slice(0, 2).join(':')}:eks::aws:cluster-access-policy/${name}`,
    accessScope: namespaces === null ? { type: 'cluster', namespaces: [] } : { type: 'namespace', namespaces },
    associatedAt: cluster.createdAt / 1000,
    modifiedAt: cluster.createdAt / 1000,
  }))
  return { clusterName: cluster.name, principalArn, associatedAccessPolicies, ...more }
}

function arnOf(place: string, route: Route): string {
  return route.principalArn === '' ? `${place}:cluster/${route.cluster}` : entryArn(place, route)
}

/** What comes after the names of cluster, kind, account and role is made by EKS. */
function entryArn(place: string, { cluster, principalArn }: Route): string {
  const [, , , , account = '', of = ''] = principalArn.split(':')
  const [kind = ''] = of.split('/')
  return `${place}:access-entry/${cluster}/${kind}/${account}/${of.slice(of.lastIndexOf('/') + 1)}/00c5b1b0-0000-4000-8000-000000000000`
}

function describe(cluster: Cluster, arn: string): object {
  const {
    name,
    endpoint,
    ca,
    version,
    createdAt,
    authenticationMode,
    hasAuditLog,
    status = 'ACTIVE',
    tags = {},
  } = cluster
  const { isPublic, isPrivate, publicCidrs } = cluster.access ?? everywhere
  const isMade = status !== 'CREATING' && status !== 'PENDING'
  return {
    name,
    arn,
    createdAt: createdAt / 1000,
    version,
    ...(isMade
      ? {
          endpoint: `https://${endpoint.toUpperCase().replace(/\..*/, '')}${endpoint.slice(endpoint.indexOf('.'))}`,
          certificateAuthority: { data: Buffer.from(ca).toString('base64') },
        }
      : {}),
    status,
    resourcesVpcConfig: {
      subnetIds: ['subnet-0a1b2c3d4e5f60718'],
      vpcId: 'vpc-0a1b2c3d4e5f60718',
      endpointPublicAccess: isPublic,
      endpointPrivateAccess: isPrivate,
      publicAccessCidrs: publicCidrs,
    },
    accessConfig: { authenticationMode },
    logging: { clusterLogging: [{ types: ['api', 'audit'], enabled: hasAuditLog }] },
    ...(Object.keys(tags).length > 0 ? { tags } : {}),
  }
}

const everywhere = { isPublic: true, isPrivate: true, publicCidrs: ['0.0.0.0/0'] }

function describeEntry({ name, createdAt }: Cluster, entry: ClusterEntry, accessEntryArn: string): object {
  const { principalArn, groups, username, type } = entry
  const at = createdAt / 1000
  const times = { createdAt: at, modifiedAt: at }
  return {
    clusterName: name,
    principalArn,
    kubernetesGroups: groups,
    accessEntryArn,
    ...times,
    tags: {},
    username,
    type,
  }
}

/** A page may be shorter than was asked for, so that no reader gets by without the next one. */
const longestPage = 2

function paged<T>({ lists }: World, all: readonly T[], query: URLSearchParams): { items: readonly T[]; more: object } {
  const asked = query.get('maxResults')
  if (asked !== null && !/^([1-9]\d?|100)$/.test(asked)) throw invalid('maxResults is not from 1 to 100')
  const token = query.get('nextToken')
  const [, kind = '', number = '-1'] =
    token === null ? ['', 'next', '0'] : (/^(next|full)-(\d+)$/.exec(Buffer.from(token, 'base64url').toString()) ?? [])
  const at = Number(number)
  if (at < 0 || (token !== null && at >= all.length)) throw invalid('nextToken is none of ours')
  const more = (place: string) => ({ nextToken: Buffer.from(place).toString('base64url') })
  if (lists.hasEmptyPages && kind === 'next' && at < all.length) return { items: [], more: more(`full-${at}`) }
  const next = at + Math.min(longestPage, lists.pageSize, Number(asked ?? longestPage))
  return { items: all.slice(at, next), more: next < all.length ? more(`next-${next}`) : {} }
}

function invalid(message: string): AwsFault {
  return new AwsFault('InvalidParameterException', 400, message)
}
