import { type ClusterEntry, findRole, type World } from '../aws/world.ts'
import type { AwsDouble } from '../aws.ts'
import type { Authority } from '../certificates.ts'
import { createAuthority } from '../certificates.ts'
import { accounts, arns, region } from '../default-world.ts'
import { type ApiServer, startApiServer } from './api-server.ts'
import { type ResourceType, resourceTypes } from './objects.ts'

/** The cluster `web` of the sandbox, and its API server. */
export const webCluster = {
  name: 'web',
  endpoint: `0123456789abcdef0123456789abcdef.gr7.${region}.eks.amazonaws.com`,
} as const

/** For the role that has this ARN now. */
export function accessEntry(world: World, principalArn: string): ClusterEntry {
  return {
    principalArn,
    principalId: findRole(world, principalArn)?.roleId ?? '',
    username: 'sallyport:{{SessionName}}',
    type: 'STANDARD',
    groups: [],
    policies: [{ name: 'AmazonEKSEditPolicy', namespaces: null }],
  }
}

export async function startWebCluster(
  aws: AwsDouble,
  authority: Authority = createAuthority('kubernetes'),
): Promise<ApiServer> {
  const cluster = {
    ...webCluster,
    account: accounts.data,
    region,
    ca: authority.cert,
    version: '1.33',
    createdAt: Date.parse('2026-01-15T12:00:00Z'),
    authenticationMode: 'API' as const,
    hasAuditLog: true,
    accessEntries: [accessEntry(aws.world, arns.clusterView)],
    awsAuth: [],
  }
  aws.world.clusters.push(cluster)
  const certificate = authority.issue([webCluster.endpoint])
  const server = await startApiServer({ cluster, certificate, tokens: aws.eksTokens })
  for (const name of ['default', 'shop', 'kube-system'])
    server.objects.put(typeOf('namespaces'), '', name, phase('Active'))
  server.objects.put(typeOf('pods'), 'shop', 'web-1', {
    spec: { containers: [{ name: 'web', image: 'web:1' }] },
    ...phase('Running'),
  })
  server.objects.put(typeOf('configmaps'), 'shop', 'settings', { data: { colour: 'blue' } })
  server.objects.put(typeOf('secrets'), 'shop', 'password', { data: { password: 'c2VjcmV0' } })
  return server
}

function phase(phase: string): { status: { phase: string } } {
  return { status: { phase } }
}

function typeOf(resource: string): ResourceType {
  const found = resourceTypes.find((one) => one.resource === resource)
  if (!found) throw new Error(`no type ${resource}`)
  return found
}
