import { AwsFault } from './aws-fault.ts'

/** A filter, of which any value may fit. */
export interface Ec2Filter {
  readonly name: string
  readonly values: readonly string[]
}

export interface Ec2Input {
  readonly action: 'DescribeInstances' | 'DescribeRegions'
  readonly instanceIds: readonly string[]
  readonly filters: readonly Ec2Filter[]
  readonly maxResults: number | null
  readonly nextToken: string | null
  readonly allRegions: boolean
}

const names = {
  DescribeInstances: ['InstanceId', 'Filter', 'MaxResults', 'NextToken'],
  DescribeRegions: ['AllRegions'],
} as const

const mostFilters = 200

/** @throws AwsFault InvalidAction, UnknownParameter, InvalidParameterValue */
export function readEc2Input(parameters: ReadonlyMap<string, string>): Ec2Input {
  const action = parameters.get('Action') ?? ''
  if ((action !== 'DescribeInstances' && action !== 'DescribeRegions') || parameters.get('Version') !== '2016-11-15')
    throw new AwsFault('InvalidAction', 400, `The action ${action} is not valid for this web service.`)
  const known: readonly string[] = names[action]
  for (const name of parameters.keys())
    if (name !== 'Action' && name !== 'Version' && !known.includes(name.split('.')[0] ?? ''))
      throw new AwsFault('UnknownParameter', 400, `The parameter ${name} is not recognized`)
  const maxResults = parameters.get('MaxResults') ?? null
  if (maxResults !== null && !(/^\d{1,4}$/.test(maxResults) && Number(maxResults) >= 5 && Number(maxResults) <= 1000))
    throw invalidParameter(`Value ( ${maxResults} ) for parameter maxResults is invalid. Expecting a value from 5.`)
  return {
    action,
    instanceIds: listOf(parameters, 'InstanceId').map((id) => {
      if (!/^i-([0-9a-f]{8}|[0-9a-f]{17})$/.test(id))
        throw new AwsFault('InvalidInstanceID.Malformed', 400, `Invalid id: "${id}"`)
      return id
    }),
    filters: filtersOf(parameters),
    maxResults: maxResults === null ? null : Number(maxResults),
    nextToken: parameters.get('NextToken') ?? null,
    allRegions: parameters.get('AllRegions') === 'true',
  }
}

function filtersOf(parameters: ReadonlyMap<string, string>): Ec2Filter[] {
  const filters: Ec2Filter[] = []
  for (let index = 1; index <= mostFilters && parameters.has(`Filter.${index}.Name`); index += 1) {
    const name = parameters.get(`Filter.${index}.Name`) ?? ''
    if (!/^(instance-state-name|instance-id|tag-key|tag:.+)$/.test(name))
      throw invalidParameter(`The filter '${name}' is invalid`)
    filters.push({ name, values: listOf(parameters, `Filter.${index}.Value`) })
  }
  return filters
}

/** `Name.1`, `Name.2` … */
function listOf(parameters: ReadonlyMap<string, string>, name: string): string[] {
  const found: string[] = []
  for (let value = parameters.get(`${name}.1`); value !== undefined; ) {
    found.push(value)
    value = parameters.get(`${name}.${found.length + 1}`)
  }
  return found
}

export function invalidParameter(message: string): AwsFault {
  return new AwsFault('InvalidParameterValue', 400, message)
}
