import { AwsFault } from './aws-fault.ts'

export interface RdsInput {
  readonly action: 'DescribeDBInstances' | 'DescribeDBClusters' | 'DescribeDBClusterEndpoints'
  /** Of one instance or cluster, as its action lists them. */
  readonly identifier: string | null
  /** Of the cluster whose endpoints are listed. */
  readonly cluster: string | null
  readonly filters: readonly { readonly name: string; readonly values: readonly string[] }[]
  readonly maxRecords: number
  readonly marker: string | null
}

const parts = {
  DescribeDBInstances: { names: ['DBInstanceIdentifier'], filters: ['engine', 'db-cluster-id'] },
  DescribeDBClusters: { names: ['DBClusterIdentifier', 'IncludeShared'], filters: ['engine', 'db-cluster-id'] },
  DescribeDBClusterEndpoints: {
    names: ['DBClusterIdentifier', 'DBClusterEndpointIdentifier'],
    filters: ['db-cluster-endpoint-type'],
  },
} as const

/** @throws AwsFault InvalidAction, InvalidParameterValue, ValidationError for what is unknown */
export function readRdsInput(parameters: ReadonlyMap<string, string>): RdsInput {
  const action = parameters.get('Action') ?? ''
  if (!isAction(action) || parameters.get('Version') !== '2014-10-31')
    throw new AwsFault('InvalidAction', 400, `Could not find operation ${action}`)
  const { names } = parts[action]
  for (const name of parameters.keys()) {
    const [first = ''] = name.split('.')
    if (!['Action', 'Version', 'Filters', 'MaxRecords', 'Marker', ...names].includes(first))
      throw new AwsFault('ValidationError', 400, `there is no parameter ${name}`)
  }
  const maxRecords = parameters.get('MaxRecords') ?? '100'
  if (!/^\d+$/.test(maxRecords) || Number(maxRecords) < 20 || Number(maxRecords) > 100)
    throw invalid(`Invalid value ${maxRecords} for MaxRecords. Must be between 20 and 100`)
  const identifier = parameters.get('DBInstanceIdentifier') ?? parameters.get('DBClusterIdentifier') ?? null
  const isOfCluster = action === 'DescribeDBClusterEndpoints'
  return {
    action,
    identifier: isOfCluster ? null : identifier,
    cluster: isOfCluster ? identifier : null,
    filters: filtersOf(action, parameters),
    maxRecords: Number(maxRecords),
    marker: parameters.get('Marker') ?? null,
  }
}

function isAction(action: string): action is RdsInput['action'] {
  return action in parts
}

/** `Filters.Filter.1.Name`, `Filters.Filter.1.Values.Value.1` … */
function filtersOf(action: RdsInput['action'], parameters: ReadonlyMap<string, string>): RdsInput['filters'] {
  const known: readonly string[] = parts[action].filters
  const filters: { name: string; values: string[] }[] = []
  for (let at = 1; parameters.has(`Filters.Filter.${at}.Name`); at += 1) {
    const name = parameters.get(`Filters.Filter.${at}.Name`) ?? ''
    if (!known.includes(name)) throw invalid(`Unrecognized filter name: ${name}`)
    const values: string[] = []
    for (let value = 1; parameters.has(`Filters.Filter.${at}.Values.Value.${value}`); value += 1)
      values.push(parameters.get(`Filters.Filter.${at}.Values.Value.${value}`) ?? '')
    if (values.length === 0) throw invalid(`The filter ${name} has no values`)
    filters.push({ name, values })
  }
  return filters
}

function invalid(message: string): AwsFault {
  return new AwsFault('InvalidParameterValue', 400, message)
}
