import { AwsFault } from './aws-fault.ts'

/** What an operation was given, within its limits. */
export interface Input {
  readonly NextToken?: string
  readonly MaxResults?: number
  readonly ParentId?: string
  readonly ChildId?: string
  readonly ResourceId?: string
  readonly AccountId?: string
  readonly OrganizationalUnitId?: string
  readonly ServicePrincipal?: string
}

/** From the service's model (2016-11-28). Tags are pages of the service's own size. */
const members = {
  DescribeOrganization: [],
  ListRoots: ['NextToken', 'MaxResults'],
  ListAccounts: ['NextToken', 'MaxResults'],
  ListOrganizationalUnitsForParent: ['ParentId', 'NextToken', 'MaxResults'],
  ListAccountsForParent: ['ParentId', 'NextToken', 'MaxResults'],
  ListParents: ['ChildId', 'NextToken', 'MaxResults'],
  ListTagsForResource: ['ResourceId', 'NextToken'],
  DescribeAccount: ['AccountId'],
  DescribeOrganizationalUnit: ['OrganizationalUnitId'],
  ListDelegatedAdministrators: ['ServicePrincipal', 'NextToken', 'MaxResults'],
} as const satisfies Readonly<Record<string, readonly (keyof Input)[]>>

export type OrganizationOperation = keyof typeof members
export const operations = Object.keys(members) as readonly OrganizationOperation[]

const root = 'r-[0-9a-z]{4,32}'
const unit = 'ou-[0-9a-z]{4,32}-[a-z0-9]{8,32}'
/** Of texts; the first three have values that must be given. */
const patterns: Readonly<Record<Exclude<keyof Input, 'MaxResults'>, RegExp>> = {
  ParentId: new RegExp(`^(${root}|${unit})$`),
  ChildId: new RegExp(`^(\\d{12}|${unit})$`),
  ResourceId: new RegExp(`^(${root}|\\d{12}|${unit})$`),
  AccountId: /^\d{12}$/,
  OrganizationalUnitId: new RegExp(`^${unit}$`),
  ServicePrincipal: /^[\w+=,.@-]{1,128}$/,
  NextToken: /^[\s\S]{0,100000}$/,
}
const optional: readonly string[] = ['NextToken', 'MaxResults', 'ServicePrincipal']

/** @throws AwsFault InvalidInputException with its reason */
export function readOrganizationInput(
  operation: OrganizationOperation,
  given: Readonly<Record<string, unknown>>,
): Input {
  const allowed: readonly string[] = members[operation]
  for (const name of Object.keys(given))
    if (!allowed.includes(name)) throw new AwsFault('SerializationException', 400, `${operation} has no ${name}`)
  for (const name of allowed) {
    const value = given[name]
    if (value === undefined) {
      if (!optional.includes(name)) throw invalid('INPUT_REQUIRED', `${name} is missing`)
    } else if (name === 'MaxResults') {
      if (typeof value !== 'number' || !Number.isInteger(value)) throw new AwsFault('SerializationException', 400, name)
      if (value < 1) throw invalid('MIN_VALUE_EXCEEDED', 'MaxResults is at least 1')
      if (value > 20) throw invalid('MAX_VALUE_EXCEEDED', 'MaxResults is at most 20')
    } else if (typeof value !== 'string' || !patterns[name as keyof typeof patterns].test(value))
      throw invalid('INVALID_PATTERN', `${name} is not of its pattern`)
  }
  return given
}

export function invalid(reason: string, detail: string): AwsFault {
  return new AwsFault(
    'InvalidInputException',
    400,
    `You provided a value that does not match the required pattern. ${reason}`,
    detail,
  )
}
