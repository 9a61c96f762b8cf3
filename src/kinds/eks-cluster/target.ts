import { isIP } from 'node:net'
import { type Static, Type } from 'typebox'
import { Value } from 'typebox/value'
import { isForbidden } from '../../../proxy/reach/forbidden-addresses.ts'
import type { Kind, Parsed, Problem } from '../../catalog/kind.ts'
import { memberProblems } from '../../catalog/member-problems.ts'
import type { Resource } from '../../catalog/resource.ts'
import { Address, strict } from '../../config/schema/members.ts'
import { parseAddress } from '../connect-address.ts'
import { partOf } from '../part-of.ts'
import { clusterName } from '../reach/policies.ts'
import { readVia, Via } from '../reach/via.ts'
import { type DiscoveredMembers, discoveredMembers } from './facts.ts'

/** One EKS cluster, known by its endpoint: AWS gives each cluster a name of its own, also one made anew under the same name. */
export interface ClusterTarget {
  readonly partition: string
  readonly account: string
  readonly region: string
  /** Name of the cluster. */
  readonly cluster: string
  /** Host name of its API server. */
  readonly endpoint: string
  /** Where to connect instead, e.g. behind a forwarder; else the endpoint at 443. */
  readonly connect: { readonly host: string; readonly port: number }
  /** PEM file of roots to trust instead of what AWS says of the cluster. */
  readonly ca: string | null
  /** Ids of the EC2 instances through which it is reached, the preferred one first; empty: over the broker's own network. */
  readonly via: readonly string[]
  /** What AWS says of it, as far as it was discovered. */
  readonly facts?: DiscoveredMembers
}

const endpointExpected =
  'expected the host name of its API server, e.g. 0123456789ABCDEF0123456789ABCDEF.gr7.eu-west-1.eks.amazonaws.com'

const schema = Type.Object(
  {
    endpoint: Type.Optional(
      Type.String({
        description:
          'API server, as `aws eks describe-cluster` gives it, with or without https://; left out: as it is found (inventory.import)',
        errorMessage: endpointExpected,
        examples: ['https://0123456789ABCDEF0123456789ABCDEF.gr7.eu-west-1.eks.amazonaws.com'],
      }),
    ),
    connect_address: Type.Optional(
      Address(
        'Where to connect instead of the endpoint; name and certificate stay those of the endpoint',
        '10.0.0.7:443',
      ),
    ),
    via: Type.Optional(Via),
    ca: Type.Optional(
      Type.String({
        'x-file': 'certificates',
        description: 'PEM file of roots to trust instead of the certificate authority that AWS gives for the cluster',
        examples: ['/etc/sallyport/cluster.pem'],
      }),
    ),
  },
  strict,
)

/** What is written by hand, with what was discovered. */
const complete = Type.Object({ ...schema.properties, ...discoveredMembers }, strict)

const words = { noun: 'a cluster', mapping: 'expected a mapping with endpoint' }

export const clusterTarget: Kind<ClusterTarget>['target'] = {
  schema,
  read: (resource) => {
    const { attributes } = resource
    if (Value.Check(complete, attributes)) {
      const { endpoint = formedIn(resource.region ?? '') } = attributes
      const found = readTarget(resource, { ...attributes, endpoint })
      return attributes.endpoint === undefined ? partOf(found, { endpoint: endpointExpected }) : found
    }
    return { ok: false, problems: memberProblems(schema, attributes, words) }
  },
}

/** Stands for an endpoint that is not written. */
const formedIn = (region: string) => `${'0'.repeat(32)}.gr7.${region}.eks.amazonaws.com`

type Attributes = Static<typeof complete> & { readonly endpoint: string }

function readTarget(resource: Resource, attributes: Attributes): Parsed<ClusterTarget> {
  const { endpoint: given, connect_address: address, ca, via: _, ...facts } = attributes
  const { partition, account, region, name: cluster } = resource
  if (account === null || region === null)
    return { ok: false, problems: [{ path: 'id', message: 'expected KIND/ACCOUNT/REGION/NAME' }] }
  const problems: Problem[] = []
  const report = (path: string, message: string) => problems.push({ path, message })
  if (!/^[0-9A-Za-z][A-Za-z0-9_-]{0,99}$/.test(cluster))
    report('id', `expected the name of a cluster at its end, got "${cluster}"`)
  const endpoint = toHost(given)
  if (!isHostName(endpoint)) report('endpoint', endpointExpected)
  const connect = address === undefined ? { host: endpoint, port: 443 } : parseAddress(address)
  if (isForbidden(connect.host))
    report(address === undefined ? 'endpoint' : 'connect_address', 'link-local addresses are not allowed')
  const placed = /\.([a-z]{2,4}(?:-[a-z]+)+-[0-9])\.(?:eks\.amazonaws\.com|api\.aws|api\.amazonwebservices\.com\.cn)/
  const named = placed.exec(endpoint)?.[1]
  if (named !== undefined && named !== region)
    report('endpoint', `the endpoint is in ${named}, but the resource is in ${region}`)
  const { instances: via, problems: viaProblems } = readVia(attributes.via, {
    ...{ account, region },
    hasAddress: address !== undefined,
    isNamedByAws: formed.test(endpoint),
  })
  problems.push(...viaProblems)
  if (problems.length > 0) return { ok: false, problems }
  return { ok: true, value: { partition, account, region, cluster, endpoint, connect, ca: ca ?? null, via, facts } }
}

const formed = new RegExp(`^${clusterName.source}$`)

/** Names of hosts mean the same in either case. */
export function toHost(endpoint: string): string {
  return endpoint
    .replace(/^https:\/\//i, '')
    .replace(/\/$/, '')
    .toLowerCase()
}

function isHostName(text: string): boolean {
  return isIP(text) === 0 && /^(?=.{1,253}$)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z0-9-]+$/.test(text)
}
