import { BlockList, isIP } from 'node:net'
import type { Parsed, Problem } from '../../catalog/kind.ts'
import type { Resource } from '../../catalog/resource.ts'

/** One RDS instance or Aurora cluster. */
export interface RdsTarget {
  readonly partition: string
  readonly account: string
  readonly region: string
  /** Name for which tokens are signed and certificates checked. */
  readonly endpoint: string
  readonly port: number
  /** Where to connect instead, e.g. behind a forwarder; else endpoint and port. */
  readonly connect: { readonly host: string; readonly port: number }
  /** `db-…`, `cluster-…` or `prx-…`, as in ARNs of `rds-db:connect`. */
  readonly resourceId: string
  /** ARN of the role whose session signs in; null: the spoke role itself. */
  readonly role: string | null
  readonly database: string
  /** PEM file of roots to trust instead of AWS's. */
  readonly ca: string | null
}

/** Addresses that a catalog entry must never lead to: link-local, among them the metadata services of clouds and containers. */
const forbidden = new BlockList()
forbidden.addSubnet('169.254.0.0', 16, 'ipv4')
forbidden.addSubnet('fe80::', 10, 'ipv6')
forbidden.addAddress('fd00:ec2::254', 'ipv6')
forbidden.addAddress('fd00:ec2::23', 'ipv6')

const defaultPort = 5432

export function parseTarget(resource: Resource): Parsed<RdsTarget> {
  const problems: Problem[] = []
  const {
    endpoint,
    port = defaultPort,
    connect_address: connect,
    resource_id: resourceId,
    role,
    database,
    ca,
  } = resource.attributes
  const report = (path: string, message: string) => problems.push({ path, message })
  if (typeof endpoint !== 'string' || !isHostName(endpoint))
    report('endpoint', 'expected the host name that AWS gives for it, e.g. orders.abc123.eu-west-1.rds.amazonaws.com')
  if (typeof resourceId !== 'string')
    report('resource_id', 'expected its DbiResourceId or DbClusterResourceId (db-… or cluster-…): IAM names it by that')
  if (resource.account === null || resource.region === null) report('id', 'expected KIND/ACCOUNT/REGION/NAME')
  const roleAccount = typeof role === 'string' ? role.split(':')[4] : undefined
  if (roleAccount !== undefined && roleAccount !== resource.account)
    report('role', `the role is of account ${roleAccount}, the resource of ${resource.account}`)
  const to = typeof connect === 'string' ? parseAddress(connect) : { host: String(endpoint), port: Number(port) }
  if (isForbidden(to.host))
    report(connect === undefined ? 'endpoint' : 'connect_address', 'link-local addresses are never reached')
  if (problems.length > 0) return { ok: false, problems }
  return {
    ok: true,
    value: {
      partition: resource.partition,
      account: resource.account ?? '',
      region: resource.region ?? '',
      endpoint: String(endpoint),
      port: Number(port),
      connect: to,
      resourceId: String(resourceId),
      role: typeof role === 'string' ? role : null,
      database: typeof database === 'string' ? database : 'postgres',
      ca: typeof ca === 'string' ? ca : null,
    },
  }
}

/** A name, not an address: certificates and tokens are for names. */
function isHostName(text: string): boolean {
  return isIP(text) === 0 && /^(?=.{1,253}$)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z0-9-]+$/i.test(text)
}

function parseAddress(text: string): { host: string; port: number } {
  const at = text.lastIndexOf(':')
  return { host: text.slice(0, at).replace(/^\[|\]$/g, ''), port: Number(text.slice(at + 1)) }
}

/** Also asked of what a name resolves to, when it is connected to. */
export function isForbidden(host: string): boolean {
  const version = isIP(host)
  return version !== 0 && forbidden.check(host, version === 4 ? 'ipv4' : 'ipv6')
}
