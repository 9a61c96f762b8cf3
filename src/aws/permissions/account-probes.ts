import type { Config } from '../../config/config.ts'
import { clientOptions, iamRegionOf, toIdentity } from '../client-options.ts'
import { type CallDeps, together, tryCall } from './calls.ts'
import type { Probes } from './check-role.ts'
import type { Called } from './judge.ts'

export interface AccountPlace {
  readonly partition: string
  readonly account: string
}

type Settings = Pick<Config['aws'], 'regions' | 'revocationPolicy'>

/** Of which nothing has the name. */
const nothing = 'sallyport-check'
/** The fewest that a page may have. */
const fewest = 5
/** The same of RDS. */
const fewestRecords = 20

/** In one account by its spoke role; calls that are made in a region are made in each of `aws.regions`. */
export function accountProbes(deps: CallDeps, { partition, account }: AccountPlace, settings: Settings): Probes {
  const PolicyArn = `arn:${partition}:iam::${account}:policy/${settings.revocationPolicy}`
  const global = <C extends Closable>(action: string, connect: Connect<C>, run: (client: C) => Promise<unknown>) => {
    const probe = () => tryCall(deps, action, () => once(deps, connect, iamRegionOf(partition), run))
    return [action, probe] as const
  }
  const regional = <C extends Closable>(action: string, connect: Connect<C>, run: (client: C) => Promise<unknown>) => {
    const probe = () =>
      inEach(settings.regions, (region) => tryCall(deps, action, () => once(deps, connect, region, run)))
    return [action, probe] as const
  }
  return Object.fromEntries([
    global('iam:GetPolicy', iam, async (client) => client.send(new (await iamSdk()).GetPolicyCommand({ PolicyArn }))),
    global('iam:ListPolicyVersions', iam, async (client) =>
      client.send(new (await iamSdk()).ListPolicyVersionsCommand({ PolicyArn, MaxItems: 1 })),
    ),
    global('iam:GetAccountAuthorizationDetails', iam, async (client) =>
      client.send(new (await iamSdk()).GetAccountAuthorizationDetailsCommand({ Filter: ['Role'], MaxItems: 1 })),
    ),
    regional('ec2:DescribeRegions', ec2, async (client) =>
      client.send(new (await ec2Sdk()).DescribeRegionsCommand({})),
    ),
    regional('ec2:DescribeInstances', ec2, async (client) =>
      client.send(new (await ec2Sdk()).DescribeInstancesCommand({ MaxResults: fewest })),
    ),
    regional('ssm:DescribeInstanceInformation', ssm, async (client) =>
      client.send(new (await ssmSdk()).DescribeInstanceInformationCommand({ MaxResults: fewest })),
    ),
    regional('rds:DescribeDBInstances', rds, async (client) =>
      client.send(new (await rdsSdk()).DescribeDBInstancesCommand({ MaxRecords: fewestRecords })),
    ),
    regional('rds:DescribeDBClusters', rds, async (client) =>
      client.send(new (await rdsSdk()).DescribeDBClustersCommand({ MaxRecords: fewestRecords })),
    ),
    regional('rds:DescribeDBClusterEndpoints', rds, async (client) =>
      client.send(new (await rdsSdk()).DescribeDBClusterEndpointsCommand({ MaxRecords: fewestRecords })),
    ),
    regional('eks:ListClusters', eks, async (client) =>
      client.send(new (await eksSdk()).ListClustersCommand({ maxResults: 1 })),
    ),
    regional('eks:DescribeCluster', eks, async (client) =>
      client.send(new (await eksSdk()).DescribeClusterCommand({ name: nothing })),
    ),
    regional('eks:ListAccessEntries', eks, async (client) =>
      client.send(new (await eksSdk()).ListAccessEntriesCommand({ clusterName: nothing, maxResults: 1 })),
    ),
  ])
}

async function inEach(regions: readonly string[], call: (region: string) => Promise<Called>): Promise<Called> {
  const found = new Map<string, Called>()
  for (const region of regions) found.set(region, await call(region))
  return together(found)
}

interface Closable {
  destroy(): void
}

type Options = Awaited<ReturnType<typeof clientOptions>> & {
  readonly region: string
  readonly credentials?: () => Promise<ReturnType<typeof toIdentity>>
}

interface Connect<C> {
  readonly service: string
  open(options: Options): Promise<C>
}

/** @throws what `run` throws */
async function once<C extends Closable, T>(
  { config, credentials }: CallDeps,
  { service, open }: Connect<C>,
  region: string,
  run: (client: C) => Promise<T>,
): Promise<T> {
  const identity = credentials ? { credentials: () => credentials().then(toIdentity) } : {}
  const client = await open({ ...(await clientOptions(config, service)), ...identity, region })
  try {
    return await run(client)
  } finally {
    client.destroy()
  }
}

const iamSdk = () => import('@aws-sdk/client-iam')
const ec2Sdk = () => import('@aws-sdk/client-ec2')
const rdsSdk = () => import('@aws-sdk/client-rds')
const ssmSdk = () => import('@aws-sdk/client-ssm')
const eksSdk = () => import('@aws-sdk/client-eks')

const iam = { service: 'iam', open: async (options: Options) => new (await iamSdk()).IAMClient(options) }
const ec2 = { service: 'ec2', open: async (options: Options) => new (await ec2Sdk()).EC2Client(options) }
const rds = { service: 'rds', open: async (options: Options) => new (await rdsSdk()).RDSClient(options) }
const ssm = { service: 'ssm', open: async (options: Options) => new (await ssmSdk()).SSMClient(options) }
const eks = { service: 'eks', open: async (options: Options) => new (await eksSdk()).EKSClient(options) }
