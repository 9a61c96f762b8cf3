/**
 * `iam:SimulatePrincipalPolicy` (IAM, API version 2010-05-08): what AWS computes that a role may do. It knows identity policies, the
 * permissions boundary and service control policies; trust policies, session policies and policies of resources it does not.
 */
import type { EvaluationResult, IAMClient } from '@aws-sdk/client-iam'
import type { Obstacle } from '../aws-errors.ts'
import type { Permission } from './permission.ts'

export interface Simulated {
  readonly decision: 'allowed' | 'denied'
  readonly obstacle: Obstacle
  /** Condition keys that AWS lacked to decide. */
  readonly missing: readonly string[]
}

/** Action names of one call. */
const mostNames = 50
/** More than the pages of 50 names can be. */
const mostPages = 20

type Send = <T>(run: (client: IAMClient, sdk: typeof import('@aws-sdk/client-iam')) => Promise<T>) => Promise<T>

/**
 * @param role its ARN
 * @param send paces, counts and translates one call
 * @returns by permission; one that AWS did not answer for is left out
 * @throws what `send` throws
 */
export async function simulate(
  role: string,
  permissions: readonly Permission[],
  send: Send,
): Promise<Map<Permission, Simulated>> {
  const found = new Map<Permission, Simulated>()
  for (const group of groupsOf(permissions))
    for (let from = 0; from < group.length; from += mostNames) {
      const some = group.slice(from, from + mostNames)
      for (const result of await ask(role, some, send)) {
        const permission = some.find(({ action }) => action.toLowerCase() === result.EvalActionName?.toLowerCase())
        if (permission) found.set(permission, toSimulated(result))
      }
    }
  return found
}

/** Those that are asked about with the same resource and conditions, so that an answer can be told by its action. */
function groupsOf(permissions: readonly Permission[]): Permission[][] {
  const keyOf = ({ resource, context }: Permission) => JSON.stringify([resource, context])
  return [...Map.groupBy(permissions, keyOf).values()]
}

async function ask(role: string, permissions: readonly Permission[], send: Send): Promise<EvaluationResult[]> {
  const [{ resource = '*', context = [] } = {}] = permissions
  const input = {
    PolicySourceArn: role,
    ActionNames: permissions.map(({ action }) => action),
    ...(resource === '*' ? {} : { ResourceArns: [resource] }),
    ContextEntries: context.map(({ key, type, values }) => ({
      ContextKeyName: key,
      ContextKeyType: type,
      ContextKeyValues: [...values],
    })),
  }
  const results: EvaluationResult[] = []
  let marker: string | undefined
  for (let page = 0; page < mostPages; page += 1) {
    const {
      EvaluationResults = [],
      IsTruncated,
      Marker,
    } = await send((client, sdk) =>
      client.send(
        new sdk.SimulatePrincipalPolicyCommand({ ...input, ...(marker === undefined ? {} : { Marker: marker }) }),
      ),
    )
    results.push(...EvaluationResults)
    if (!IsTruncated || !Marker || Marker === marker) break
    marker = Marker
  }
  return results
}

function toSimulated(result: EvaluationResult): Simulated {
  const { EvalDecision, OrganizationsDecisionDetail, PermissionsBoundaryDecisionDetail, MissingContextValues } = result
  const missing = MissingContextValues ?? []
  if (EvalDecision === 'allowed') return { decision: 'allowed', obstacle: null, missing }
  if (OrganizationsDecisionDetail?.AllowedByOrganizations === false)
    return { decision: 'denied', obstacle: 'organization', missing }
  if (PermissionsBoundaryDecisionDetail?.AllowedByPermissionsBoundary === false)
    return { decision: 'denied', obstacle: 'boundary', missing }
  return { decision: 'denied', obstacle: EvalDecision === 'explicitDeny' ? 'explicit-deny' : null, missing }
}
