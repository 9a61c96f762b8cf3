import { isIP } from 'node:net'
import { type Static, Type } from 'typebox'
import { Value } from 'typebox/value'
import { formatDuration } from '../../../proxy/duration.ts'
import { isForbidden } from '../../../proxy/reach/forbidden-addresses.ts'
import { defaultConnectMs, longestConnectMs } from '../../../proxy/session.ts'
import type { Kind, Parsed, Problem } from '../../catalog/kind.ts'
import { memberProblems } from '../../catalog/member-problems.ts'
import type { Resource } from '../../catalog/resource.ts'
import { Address, Duration, RoleArn, strict } from '../../config/schema/members.ts'
import { parseDuration } from '../../config/units.ts'
import { parseAddress } from '../connect-address.ts'
import { partOf } from '../part-of.ts'
import { readVia, Via } from '../reach/via.ts'
import { misfit, readEndpoint } from './endpoint.ts'
import { type SeenDatabase, seenMembers, seenOf } from './seen.ts'

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
  /** For clients that name none; empty: they choose none. */
  readonly database: string
  /** PEM file of roots to trust instead of AWS's. */
  readonly ca: string | null
  readonly connectTimeoutMs: number
  /** Ids of the EC2 instances through which it is reached, the preferred one first; empty: over the broker's own network. */
  readonly via: readonly string[]
  /** Of each daemon. */
  readonly signInsPerSecond: number
  /** As AWS shows it; null: it is written by hand alone. */
  readonly seen: SeenDatabase | null
}

/** Defaults of one engine. */
export interface RdsDefaults {
  readonly port: number
  /** Left out: clients that name none choose none. */
  readonly database?: string
}

/** Of two daemons, what AWS advises to stay below. */
const defaultSignIns = 100

const hostNameExpected = 'expected the host name that AWS gives for it, e.g. orders.abc123.eu-west-1.rds.amazonaws.com'

const resourceIdExpected = 'expected its DbiResourceId or DbClusterResourceId (db-… or cluster-…): IAM names it by that'

const connectTimeoutExpected = `expected a duration of 1s to ${formatDuration(longestConnectMs)}`

const membersFor = ({ port, database }: RdsDefaults) => ({
  endpoint: Type.Optional(
    Type.String({
      description:
        'Host name of the target, as AWS gives it: of an instance, of a cluster (its writer, its readers or a custom endpoint), or of an RDS Proxy; left out: as it is found (inventory.import)',
      errorMessage: hostNameExpected,
      examples: ['orders.abcdefghijkl.eu-west-1.rds.amazonaws.com'],
    }),
  ),
  port: Type.Optional(Type.Integer({ minimum: 1, maximum: 65535, description: 'Port of the target', default: port })),
  connect_address: Type.Optional(
    Address(
      'Where to connect instead of endpoint:port; name and certificate stay those of the endpoint',
      `10.0.0.7:${port}`,
    ),
  ),
  resource_id: Type.Optional(
    Type.String({
      pattern: '^(db|cluster|prx)-[A-Za-z0-9]+$',
      patternErrorMessage: 'expected db-…, cluster-… or prx-…',
      errorMessage: resourceIdExpected,
      examples: ['db-ABCDEFGHIJKL01234'],
      description:
        'DbiResourceId, DbClusterResourceId (of Aurora, also for endpoints of its instances) or id of the RDS Proxy, as in rds-db:connect ARNs; left out: as it is found',
    }),
  ),
  connect_timeout: Type.Optional({
    ...Duration(
      'How long connecting to it and signing in may take; the default lets a paused Aurora cluster resume',
      formatDuration(defaultConnectMs),
      { most: formatDuration(longestConnectMs) },
    ),
    patternErrorMessage: connectTimeoutExpected,
  }),
  sign_ins_per_second: Type.Optional(
    Type.Integer({
      minimum: 1,
      maximum: 10_000,
      default: defaultSignIns,
      description:
        'New connections a second that each daemon makes to it at most; others wait for half of connect_timeout. RDS bears fewer than 200 with IAM, small instances far fewer',
    }),
  ),
  via: Type.Optional(Via),
  role: Type.Optional(RoleArn('IAM role whose session signs in to the target; by default the spoke role itself')),
  database: Type.Optional(
    Type.String({
      description: 'Database used when the client names none',
      ...(database === undefined ? { examples: ['orders'] } : { default: database }),
    }),
  ),
  ca: Type.Optional(
    Type.String({
      'x-file': 'certificates',
      description: 'PEM file of roots to trust instead of the RDS roots',
      examples: ['/etc/sallyport/roots.pem'],
    }),
  ),
})

const discoveredFor = (defaults: RdsDefaults) => Type.Object({ ...membersFor(defaults), ...seenMembers }, strict)

type Attributes = Static<ReturnType<typeof discoveredFor>>

const words = { noun: 'a database', mapping: 'expected a mapping with endpoint and resource_id' }

/** Attributes of the databases of one engine. */
export function rdsTarget(defaults: RdsDefaults): Kind<RdsTarget>['target'] {
  const schema = Type.Object(membersFor(defaults), strict)
  const discovered = discoveredFor(defaults)
  return {
    schema,
    read: (resource) => {
      const { attributes } = resource
      if (Value.Check(discovered, attributes)) return readPart(resource, attributes, defaults)
      return { ok: false, problems: memberProblems(schema, attributes, words) }
    },
  }
}

/** What is written by hand may be a part. */
function readPart(resource: Resource, attributes: Attributes, defaults: RdsDefaults): Parsed<RdsTarget> {
  const { endpoint, resource_id: id } = attributes
  const missing = {
    ...(endpoint === undefined ? { endpoint: hostNameExpected } : {}),
    ...(id === undefined ? { resource_id: resourceIdExpected } : {}),
  }
  const forms = { endpoint: endpoint ?? formedIn(resource.region ?? '', id), resource_id: id ?? formedFor(endpoint) }
  const found = readTarget(resource, { ...attributes, ...forms }, defaults)
  return Object.keys(missing).length === 0 ? found : partOf(found, missing)
}

/** Stand for what is not written. */
const formedIn = (region: string, id = 'db-X') =>
  id.startsWith('cluster-') ? `x.cluster-x.${region}.rds.amazonaws.com` : `x.x.${region}.rds.amazonaws.com`
const formedFor = (endpoint = '') => (/\.cluster-/.test(endpoint) ? 'cluster-X' : 'db-X')

type Written = Attributes & { readonly endpoint: string; readonly resource_id: string }

function readTarget(resource: Resource, attributes: Written, defaults: RdsDefaults): Parsed<RdsTarget> {
  const { partition, account, region } = resource
  const { endpoint, port = defaults.port, resource_id: resourceId, role = null, ca = null } = attributes
  const { connect_address: address, database = defaults.database ?? '', connect_timeout: timeout } = attributes
  const { sign_ins_per_second: signInsPerSecond = defaultSignIns } = attributes
  const connectTimeoutMs = timeout === undefined ? defaultConnectMs : (parseDuration(timeout) ?? 0)
  if (account === null || region === null)
    return { ok: false, problems: [{ path: 'id', message: 'expected KIND/ACCOUNT/REGION/NAME' }] }
  const connect = address === undefined ? { host: endpoint, port } : parseAddress(address)
  const problems: Problem[] = []
  const report = (path: string, message: string) => problems.push({ path, message })
  if (!isHostName(endpoint)) report('endpoint', hostNameExpected)
  const placed = readEndpoint(endpoint)?.region
  if (placed !== undefined && placed !== region)
    report('endpoint', `the endpoint is in ${placed}, but the resource is in ${region}`)
  const wrongId = misfit(endpoint, resourceId)
  if (wrongId !== undefined) report('resource_id', wrongId)
  const roleAccount = role?.split(':')[4]
  if (roleAccount !== undefined && roleAccount !== account)
    report('role', `the role is in account ${roleAccount}, but the resource is in ${account}`)
  if (connectTimeoutMs < 1000 || connectTimeoutMs > longestConnectMs) report('connect_timeout', connectTimeoutExpected)
  if (isForbidden(connect.host))
    report(address === undefined ? 'endpoint' : 'connect_address', 'link-local addresses are not allowed')
  const { instances: via, problems: viaProblems } = readVia(attributes.via, {
    ...{ account, region },
    hasAddress: address !== undefined,
    isNamedByAws: readEndpoint(endpoint) !== undefined,
  })
  problems.push(...viaProblems)
  if (via.length > 0 && port < 1024) report('port', 'with via, expected a port from 1024 on')
  if (problems.length > 0) return { ok: false, problems }
  const place = { partition, account, region, endpoint, port, connect }
  const seen = seenOf(attributes)
  return {
    ok: true,
    value: { ...place, resourceId, role, database, ca, connectTimeoutMs, via, signInsPerSecond, seen },
  }
}

/** A name, not an address: certificates and tokens are for names. */
function isHostName(text: string): boolean {
  return isIP(text) === 0 && /^(?=.{1,253}$)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z0-9-]+$/i.test(text)
}
