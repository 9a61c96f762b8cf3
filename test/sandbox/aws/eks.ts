import { callerContext, refusal } from './authorize.ts'
import { AwsFault } from './aws-fault.ts'
import type { Caller } from './callers.ts'
import type { World } from './world.ts'

interface EksDeps {
  readonly world: World
  isDenied(action: string): boolean
}

interface EksCall {
  readonly region: string
  readonly method: string
  readonly target: string
  readonly now: number
}

/** `DescribeCluster` of EKS's REST API. @returns the body of the answer @throws AwsFault */
export function answerEks(
  { world, isDenied }: EksDeps,
  caller: Caller,
  { region, method, target, now }: EksCall,
): { operation: string; body: object } {
  const name = /^\/clusters\/([^/?]+)$/.exec(target)?.[1]
  if (method !== 'GET' || name === undefined) throw new AwsFault('NotImplemented', 501, 'only DescribeCluster is here')
  const action = 'eks:DescribeCluster'
  const [, partition = 'aws'] = caller.arn.split(':')
  const arn = `arn:${partition}:eks:${region}:${caller.account}:cluster/${name}`
  const access = { action, resource: arn, context: callerContext(world, caller, now, arn) }
  const why = isDenied(action) ? 'denied by a fault knob' : refusal(world, caller, access)
  if (why)
    throw new AwsFault(
      'AccessDeniedException',
      403,
      `User: ${caller.arn} is not authorized to perform: ${action} on resource: ${arn}`,
      why,
    )
  const cluster = world.clusters.find(
    (one) => one.name === name && one.region === region && one.account === caller.account,
  )
  if (!cluster) throw new AwsFault('ResourceNotFoundException', 404, `No cluster found for name: ${name}.`)
  const { endpoint, ca, version, createdAt, authenticationMode, hasAuditLog } = cluster
  return {
    operation: 'DescribeCluster',
    body: {
      cluster: {
        name,
        arn,
        createdAt: createdAt / 1000,
        version,
        endpoint: `https://${endpoint.toUpperCase().replace(/\..*/, '')}${endpoint.slice(endpoint.indexOf('.'))}`,
        status: 'ACTIVE',
        certificateAuthority: { data: Buffer.from(ca).toString('base64') },
        accessConfig: { authenticationMode },
        logging: { clusterLogging: [{ types: ['api', 'audit'], enabled: hasAuditLog }] },
      },
    },
  }
}
