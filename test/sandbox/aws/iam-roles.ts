import type { Xml } from './answers.ts'
import { callerContext, isDeniedByOrganization } from './authorize.ts'
import { AwsFault } from './aws-fault.ts'
import type { Caller } from './callers.ts'
import { evaluate } from './evaluate.ts'
import { authorizationDetails, lastUseOf } from './iam-details.ts'
import { makeJob, readJob } from './iam-jobs.ts'
import { createPager } from './pager.ts'
import { parsePolicy } from './policy.ts'
import { accountOf, documentOf, findRole, type Role, type World } from './world.ts'

/**
 * What IAM says of roles (version 2010-05-08): `GetRole`, `GetAccountAuthorizationDetails`, and `SimulatePrincipalPolicy` of a role: identity policies, its permissions
 * boundary and service control policies, for each action and resource. Left out, as AWS leaves it out for roles: session policies,
 * policies of resources; besides, of the details, matched statements.
 */
export interface RoleAction {
  /** That policies must name. */
  resource(world: World, caller: Caller, parameters: Parameters): string
  /** @throws AwsFault NoSuchEntity, InvalidInput */
  run(deps: RoleDeps, caller: Caller, parameters: Parameters, now: number): readonly Xml[]
}

interface RoleDeps {
  readonly world: World
  isDenied(action: string): boolean
}

type Parameters = ReadonlyMap<string, string>

export const roleActions: Readonly<Record<string, RoleAction>> = {
  GetAccountAuthorizationDetails: {
    resource: () => '*',
    run: ({ world }, { account }, parameters) => authorizationDetails(world, account, parameters),
  },
  GetRole: {
    resource: (world, caller, parameters) =>
      roleNamed(world, caller, parameters)?.arn ?? unknownArn(caller, parameters),
    run: ({ world }, caller, parameters) => {
      const role = roleNamed(world, caller, parameters)
      if (!role) throw noRole(parameters.get('RoleName') ?? '')
      return [['Role', describeRole(role)]]
    },
  },
  GenerateServiceLastAccessedDetails: {
    resource: (_world, _caller, parameters) => parameters.get('Arn') ?? '',
    run: ({ world }, caller, parameters) => [['JobId', makeJob(world, caller, parameters.get('Arn') ?? '')]],
  },
  GetServiceLastAccessedDetails: {
    resource: () => '*',
    run: ({ world }, caller, parameters) => readJob(world, caller, parameters),
  },
  SimulatePrincipalPolicy: {
    resource: (_world, _caller, parameters) => parameters.get('PolicySourceArn') ?? '',
    run: simulate,
  },
}

function roleNamed(world: World, { account }: Caller, parameters: Parameters): Role | undefined {
  const name = parameters.get('RoleName') ?? ''
  return world.roles.find(({ arn }) => accountOf(arn) === account && arn.slice(arn.lastIndexOf('/') + 1) === name)
}

function unknownArn({ account }: Caller, parameters: Parameters): string {
  return `arn:aws:iam::${account}:role/${parameters.get('RoleName') ?? ''}`
}

function noRole(name: string): AwsFault {
  return new AwsFault('NoSuchEntity', 404, `The role with name ${name} cannot be found.`)
}

function describeRole(role: Role): readonly Xml[] {
  const { arn, roleId, trust, maxSessionSeconds, tags, boundary } = role
  const path = arn.slice(arn.indexOf('role/') + 'role'.length, arn.lastIndexOf('/') + 1)
  return [
    ['Path', path],
    ['RoleName', arn.slice(arn.lastIndexOf('/') + 1)],
    ['RoleId', roleId],
    ['Arn', arn],
    ['CreateDate', '2024-03-01T09:30:00Z'],
    ['AssumeRolePolicyDocument', encodeURIComponent(JSON.stringify(trust))],
    lastUseOf(role),
    ['MaxSessionDuration', String(maxSessionSeconds)],
    ...(typeof boundary === 'string'
      ? [
          [
            'PermissionsBoundary',
            [
              ['PermissionsBoundaryType', 'PermissionsBoundaryPolicy'],
              ['PermissionsBoundaryArn', boundary],
            ],
          ] as const,
        ]
      : []),
    [
      'Tags',
      Object.entries(tags).map(
        ([Key, Value]): Xml => [
          'member',
          [
            ['Key', Key],
            ['Value', Value],
          ],
        ],
      ),
    ],
  ]
}

const mostNames = 50
/** AWS may give fewer than it was asked for. */
const pageSize = 10
const pager = createPager(() => new AwsFault('InvalidInput', 400, 'Invalid Marker.'))

function simulate({ world, isDenied }: RoleDeps, _caller: Caller, parameters: Parameters, now: number): readonly Xml[] {
  const source = parameters.get('PolicySourceArn') ?? ''
  const role = findRole(world, source)
  if (!role) throw new AwsFault('NoSuchEntity', 404, `Role ${source} does not exist.`)
  const actions = members(parameters, 'ActionNames')
  if (actions.length === 0) throw new AwsFault('ValidationError', 400, 'ActionNames must have length at least 1')
  if (actions.length > mostNames) throw new AwsFault('InvalidInput', 400, `at most ${mostNames} action names`)
  for (const action of actions)
    if (!/^[a-z0-9-]+:[A-Za-z0-9]+$/.test(action)) throw new AwsFault('InvalidInput', 400, `Invalid action ${action}`)
  const given = members(parameters, 'ResourceArns')
  const resources = given.length === 0 ? ['*'] : given
  for (const arn of resources)
    if (arn !== '*' && arn.split(':').length < 6) throw new AwsFault('InvalidInput', 400, `Invalid ARN ${arn}`)
  const context = contextOf(parameters)
  const results = actions.flatMap((action) =>
    resources.map((resource) => ({
      action,
      resource,
      xml: evaluated(world, role, action, resource, context, now, isDenied),
    })),
  )
  const list = JSON.stringify([source, actions, resources])
  const size = Math.min(pageSize, Number(parameters.get('MaxItems') ?? pageSize))
  const page = pager(
    { list, token: parameters.get('Marker'), size, hasEmptyPages: false },
    results,
    ({ action, resource }) => `${action} ${resource}`,
  )
  return [
    ['EvaluationResults', page.items.map(({ xml }): Xml => ['member', xml])],
    ['IsTruncated', String(page.NextToken !== undefined)],
    ...(page.NextToken === undefined ? [] : [['Marker', page.NextToken] as const]),
  ]
}

function evaluated(
  world: World,
  role: Role,
  action: string,
  resource: string,
  given: ReadonlyMap<string, readonly string[]>,
  now: number,
  isDenied: RoleDeps['isDenied'],
): readonly Xml[] {
  const account = accountOf(role.arn)
  const caller: Caller = {
    ...{ accessKeyId: '', secretAccessKey: '', session: null, account },
    ...{ arn: role.arn, userId: role.roleId, principalArn: role.arn },
  }
  const context = new Map<string, readonly string[]>([...callerContext(world, caller, now, resource), ...given])
  const access = { action, resource, context }
  const isAllowedByOrganization = !isDenied(action) && !isDeniedByOrganization(world, account, access)
  const identity = evaluate(
    role.policies.map((document) => parsePolicy(document, 'identity')),
    access,
  )
  const boundary = role.boundary === undefined ? null : documentOf(world, role.boundary)
  const isWithin =
    role.boundary === undefined ||
    (boundary !== null && evaluate([parsePolicy(boundary, 'identity')], access) === 'allow')
  const isAllowed = identity === 'allow' && isAllowedByOrganization && isWithin
  const isExplicit = identity === 'deny' || !isAllowedByOrganization
  return [
    ['EvalActionName', action],
    ['EvalResourceName', resource],
    ['EvalDecision', isAllowed ? 'allowed' : isExplicit ? 'explicitDeny' : 'implicitDeny'],
    ['MatchedStatements', []],
    ['MissingContextValues', []],
    ...(world.organization === undefined
      ? []
      : [['OrganizationsDecisionDetail', [['AllowedByOrganizations', String(isAllowedByOrganization)]]] as const]),
    ...(role.boundary === undefined
      ? []
      : [['PermissionsBoundaryDecisionDetail', [['AllowedByPermissionsBoundary', String(isWithin)]]] as const]),
  ]
}

/** `NAME.member.1`, `NAME.member.2` … */
function members(parameters: Parameters, name: string): string[] {
  const found: string[] = []
  for (let number = 1; ; number += 1) {
    const value = parameters.get(`${name}.member.${number}`)
    if (value === undefined) return found
    found.push(value)
  }
}

const contextTypes = ['string', 'stringList', 'boolean', 'numeric', 'date', 'ip']

/** @throws AwsFault InvalidInput */
function contextOf(parameters: Parameters): Map<string, readonly string[]> {
  const context = new Map<string, readonly string[]>()
  for (let number = 1; ; number += 1) {
    const entry = `ContextEntries.member.${number}`
    const key = parameters.get(`${entry}.ContextKeyName`)
    if (key === undefined) return context
    const type = parameters.get(`${entry}.ContextKeyType`) ?? ''
    if (!contextTypes.includes(type)) throw new AwsFault('InvalidInput', 400, `Invalid ContextKeyType ${type}`)
    const values = members(parameters, `${entry}.ContextKeyValues`)
    if (values.length === 0) throw new AwsFault('InvalidInput', 400, `${key} has no value`)
    context.set(key.toLowerCase(), values)
  }
}
