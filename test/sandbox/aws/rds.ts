/**
 * What reads RDS (query protocol, version 2014-10-31): instances, clusters and endpoints of clusters in pages, by id or by filters. As AWS
 * does it lists Neptune and DocumentDB, too, and clusters that span several zones also as instances. Left out: all that changes it (tests change
 * the world instead), most members and filters.
 */
import { answer, type Xml } from './answers.ts'
import { callerContext, refusal } from './authorize.ts'
import { AwsFault } from './aws-fault.ts'
import type { Caller } from './callers.ts'
import { createPager, type Pager } from './pager.ts'
import { type RdsInput, readRdsInput } from './rds-input.ts'
import type { RdsCluster, RdsInstance, World } from './world.ts'

interface Deps {
  readonly world: World
  isDenied(action: string): boolean
}

interface Ask {
  readonly parameters: ReadonlyMap<string, string>
  readonly region: string
  readonly now: number
}

interface Place {
  readonly partition: string
  readonly account: string
  readonly region: string
}

const pagers = new WeakMap<World, Pager>()

function pagerOf(world: World): Pager {
  const pager =
    pagers.get(world) ?? createPager(() => new AwsFault('InvalidParameterValue', 400, 'Unrecognized marker'))
  pagers.set(world, pager)
  return pager
}

/** @throws AwsFault */
export function answerRds({ world, isDenied }: Deps, caller: Caller, { parameters, region, now }: Ask): string {
  const input = readRdsInput(parameters)
  const [, partition = 'aws'] = caller.arn.split(':')
  const place = { partition, account: caller.account, region }
  const action = `rds:${input.action}`
  const resource = `${arnOf(place, input.action === 'DescribeDBInstances' ? 'db' : 'cluster', input.identifier ?? '*')}`
  const access = { action, resource, context: callerContext(world, caller, now, resource) }
  const why = isDenied(action) ? 'denied by a fault knob' : refusal(world, caller, access)
  if (why)
    throw new AwsFault(
      'AccessDenied',
      403,
      `User: ${caller.arn} is not authorized to perform: ${action} on resource: ${resource} because no identity-based policy allows the ${action} action`,
      why,
    )
  return answer(input.action, answers[input.action](world, place, input), 'rds')
}

const answers: Readonly<Record<RdsInput['action'], (world: World, place: Place, input: RdsInput) => Xml[]>> = {
  DescribeDBInstances: (world, place, input) => {
    const found = here(world.rds.instances, place).filter(
      (one) => isNamed(one, input) && passes(input, { engine: one.engine, 'db-cluster-id': one.cluster ?? '' }),
    )
    if (input.identifier !== null && found.length === 0)
      throw new AwsFault('DBInstanceNotFound', 404, `DBInstance ${input.identifier} not found.`)
    const { shown, marker } = page(world, place, input, found)
    return [['DBInstances', shown.map((one): Xml => ['DBInstance', instance(one, place)])], ...marker]
  },
  DescribeDBClusters: (world, place, input) => {
    const found = here(world.rds.clusters, place).filter(
      (one) => isNamed(one, input) && passes(input, { engine: one.engine, 'db-cluster-id': one.name }),
    )
    if (input.identifier !== null && found.length === 0)
      throw new AwsFault('DBClusterNotFoundFault', 404, `DBCluster ${input.identifier} not found.`)
    const { shown, marker } = page(world, place, input, found)
    return [['DBClusters', shown.map((one): Xml => ['DBCluster', cluster(one, place)])], ...marker]
  },
  DescribeDBClusterEndpoints: (world, place, input) => {
    const clusters = here(world.rds.clusters, place).filter(
      ({ name, engine }) => engine.startsWith('aurora') && (input.cluster === null || input.cluster === name),
    )
    if (input.cluster !== null && clusters.length === 0)
      throw new AwsFault('DBClusterNotFoundFault', 404, `DBCluster ${input.cluster} not found.`)
    const all = clusters.flatMap((one) => endpoints(one))
    const found = all.filter(({ type }) => passes(input, { 'db-cluster-endpoint-type': type.toLowerCase() }))
    const { shown, marker } = page(world, place, input, found)
    return [['DBClusterEndpoints', shown.map((one): Xml => ['DBClusterEndpointList', endpoint(one)])], ...marker]
  },
}

function here<T extends { account: string; region: string }>(all: readonly T[], { account, region }: Place): T[] {
  return all.filter((one) => one.account === account && one.region === region)
}

function isNamed({ name }: { readonly name: string }, { identifier }: RdsInput): boolean {
  return identifier === null || name === identifier.toLowerCase()
}

function passes({ filters }: RdsInput, values: Readonly<Record<string, string>>): boolean {
  return filters.every(({ name, values: wanted }) => wanted.includes(values[name] ?? ''))
}

function page<T extends { readonly name: string }>(world: World, place: Place, input: RdsInput, found: readonly T[]) {
  const { pageSize, hasEmptyPages } = world.lists
  const list = [
    place.account,
    place.region,
    input.action,
    input.identifier,
    input.cluster,
    JSON.stringify(input.filters),
  ]
  const ask = {
    list: list.join(),
    token: input.marker ?? undefined,
    size: Math.min(pageSize, input.maxRecords),
    hasEmptyPages,
  }
  const { items, NextToken } = pagerOf(world)(ask, found, ({ name }) => name)
  const marker: Xml[] = NextToken === undefined ? [] : [['Marker', NextToken]]
  return { shown: items, marker }
}

function instance(one: RdsInstance, place: Place): Xml[] {
  const { name, engine, version, status, endpoint: at, database, hasIam, isPublic, ca, createdAt, tags } = one
  return [
    ['DBInstanceIdentifier', name],
    ['DBInstanceClass', 'db.t4g.medium'],
    ['Engine', engine],
    ['DBInstanceStatus', status],
    ['MasterUsername', 'master'],
    ...optional('DBName', database),
    ...(at === null
      ? []
      : ([
          [
            'Endpoint',
            [
              ['Address', at.host],
              ['Port', String(at.port)],
              ['HostedZoneId', 'Z29XKXDKYMONMX'],
            ],
          ],
        ] as const)),
    // What is still being made has no time yet.
    ...(at === null ? [] : [['InstanceCreateTime', instant(createdAt)] as const]),
    ['MultiAZ', 'false'],
    ['EngineVersion', version],
    ['PubliclyAccessible', String(isPublic)],
    ['DbInstancePort', '0'],
    ...optional('DBClusterIdentifier', one.cluster),
    ['StorageEncrypted', 'true'],
    ['DbiResourceId', one.resourceId],
    ['CACertificateIdentifier', ca],
    ['DBInstanceArn', arnOf(place, 'db', name)],
    ['IAMDatabaseAuthenticationEnabled', String(hasIam)],
    ['TagList', tagList(tags)],
  ]
}

function cluster(one: RdsCluster, place: Place): Xml[] {
  const { name, engine, version, status, endpoint: at, reader, database, hasIam, createdAt, tags, members } = one
  const custom = one.custom.map(({ host }): Xml => ['member', host])
  return [
    ...optional('DatabaseName', database),
    ['DBClusterIdentifier', name],
    ['Status', status],
    ...optional('Endpoint', at?.host ?? null),
    ...optional('ReaderEndpoint', reader),
    ...(custom.length === 0 ? [] : [['CustomEndpoints', custom] as const]),
    ['MultiAZ', 'true'],
    ['Engine', engine],
    ['EngineVersion', version],
    ...(at === null ? [] : [['Port', String(at.port)] as const]),
    ['MasterUsername', 'master'],
    [
      'DBClusterMembers',
      members.map((member, index) => [
        'DBClusterMember',
        [
          ['DBInstanceIdentifier', member],
          ['IsClusterWriter', String(index === one.writer)],
          ['DBClusterParameterGroupStatus', 'in-sync'],
          ['PromotionTier', '1'],
        ],
      ]),
    ],
    ['DbClusterResourceId', one.resourceId],
    ['DBClusterArn', arnOf(place, 'cluster', name)],
    ['IAMDatabaseAuthenticationEnabled', String(hasIam)],
    ['ClusterCreateTime', instant(createdAt)],
    ['EngineMode', 'provisioned'],
    ['TagList', tagList(tags)],
  ]
}

interface ClusterEndpoint {
  readonly name: string
  readonly cluster: string
  readonly host: string
  readonly type: 'WRITER' | 'READER' | 'CUSTOM'
}

function endpoints({ name, endpoint: at, reader, custom }: RdsCluster): ClusterEndpoint[] {
  return [
    ...(at === null ? [] : [{ name: `${name}/writer`, cluster: name, host: at.host, type: 'WRITER' as const }]),
    ...(reader === null ? [] : [{ name: `${name}/reader`, cluster: name, host: reader, type: 'READER' as const }]),
    ...custom.map((one) => ({ ...one, cluster: name, type: 'CUSTOM' as const })),
  ]
}

/** Those that are not custom have no identifier. */
function endpoint({ name, cluster: of, host, type }: ClusterEndpoint): Xml[] {
  return [
    ...(type === 'CUSTOM' ? [['DBClusterEndpointIdentifier', name] as const] : []),
    ['DBClusterIdentifier', of],
    ['Endpoint', host],
    ['Status', 'available'],
    ['EndpointType', type],
    ...(type === 'CUSTOM' ? [['CustomEndpointType', 'ANY'] as const] : []),
  ]
}

function optional(name: string, value: string | null): Xml[] {
  return value === null ? [] : [[name, value]]
}

function tagList(tags: Readonly<Record<string, string>>): Xml[] {
  return Object.entries(tags).map(([key, value]) => [
    'Tag',
    [
      ['Key', key],
      ['Value', value],
    ],
  ])
}

function arnOf({ partition, account, region }: Place, type: 'db' | 'cluster', name: string): string {
  return `arn:${partition}:rds:${region}:${account}:${type}:${name}`
}

function instant(at: number): string {
  return new Date(at).toISOString()
}
