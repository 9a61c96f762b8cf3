import type { Surroundings } from '../../catalog/kind.ts'
import { viaLimits } from '../reach/via.ts'

/**
 * What the name of an endpoint says, as AWS forms it (Amazon RDS and Aurora user guides, "Endpoint connections", "RDS Proxy
 * endpoints"). Names of one's own say nothing, and neither do those of Aurora Limitless.
 */

export type EndpointRole = 'instance' | 'writer' | 'reader' | 'custom' | 'proxy'

export interface NamedEndpoint {
  readonly role: EndpointRole
  readonly region: string
}

const roles: Readonly<Partial<Record<string, EndpointRole>>> = {
  cluster: 'writer',
  'cluster-ro': 'reader',
  'cluster-custom': 'custom',
  proxy: 'proxy',
}

const region = '[a-z]{2,4}(?:-[a-z]+){1,3}-[0-9]'
const formed = new RegExp(
  `^(?:[a-z0-9-]+\\.)?[a-z0-9-]+\\.(?:(?<role>[a-z-]+)-)?[a-z0-9]+\\.` +
    `(?:(?<before>${region})\\.rds\\.amazonaws\\.com|rds\\.(?<after>${region})\\.amazonaws\\.com\\.cn)$`,
  'i',
)

/** @returns undefined when AWS did not form the name, or in a way not known here */
export function readEndpoint(name: string): NamedEndpoint | undefined {
  const { role = '', before, after } = formed.exec(name.toLowerCase())?.groups ?? {}
  const named = before ?? after
  const known = role === '' ? 'instance' : roles[role]
  return named && known ? { role: known, region: named } : undefined
}

/** RDS Proxy gives a session another connection to the database when it likes, and carries no cancel. */
export function isRdsProxy({ resourceId }: { readonly resourceId: string }): boolean {
  return resourceId.startsWith('prx-')
}

/** What is wrong with an id for such an endpoint; IAM would refuse the sign-in. */
export function misfit(endpoint: string, resourceId: string): string | undefined {
  const role = readEndpoint(endpoint)?.role
  if (role === undefined) return undefined
  if (role === 'proxy' && !isRdsProxy({ resourceId }))
    return 'the endpoint is one of RDS Proxy, so this must be the id of the proxy, prx-…'
  if (role !== 'proxy' && isRdsProxy({ resourceId }))
    return 'this is the id of an RDS Proxy, but the endpoint is none of a proxy'
  if (role !== 'proxy' && role !== 'instance' && !resourceId.startsWith('cluster-'))
    return 'the endpoint is one of a cluster, so this must be its DbClusterResourceId, cluster-…'
  return undefined
}

/** What an approver should know. @returns sentences */
export function rdsLimits(
  {
    account,
    resourceId,
    via,
  }: { readonly account: string; readonly resourceId: string; readonly via: readonly string[] },
  { dbUser, isPersonal }: { readonly dbUser: string; readonly isPersonal: boolean },
  { aws }: Surroundings,
): string[] {
  const own = `Signs in as ${dbUser}, a database user for this person alone.`
  const shared = `Everyone with this level signs in as ${dbUser}: in the database they can see, and end, each other’s statements.`
  const proxy =
    'RDS Proxy carries no cancel: when the access ends the connection is closed, but a statement that is running may finish.'
  const personal = `Account ${account} takes ID tokens: a person who gets hold of their own can sign in to the database without the broker, where its network lets them, with no grant and no recording.`
  return [
    isPersonal ? own : shared,
    ...viaLimits(via),
    ...(isRdsProxy({ resourceId }) ? [proxy] : []),
    ...(aws.accounts[account]?.trust === 'web_identity' ? [personal] : []),
  ]
}

/** For lists: which of a cluster's endpoints it is. */
export function shownRole(endpoint: string): Record<string, string> {
  const role = readEndpoint(endpoint)?.role
  return role === undefined || role === 'instance' ? {} : { endpoint: role === 'proxy' ? 'RDS Proxy' : role }
}
