import type { Parsed, Problem } from '../../catalog/kind.ts'
import type { Resource } from '../../catalog/resource.ts'
import { parseDuration } from '../../config/units.ts'

/** One IAM role that people take sessions of. */
export interface RoleTarget {
  readonly partition: string
  readonly account: string
  /** With its path. */
  readonly roleArn: string
  /** MaxSessionDuration of the role, 1 to 12 hours. */
  readonly maxSessionMs: number
  /** Its permissions boundary is the policy whose versions the broker writes. */
  readonly isRevocable: boolean
  readonly hasTransitiveTags: boolean
  readonly hasSourceIdentity: boolean
}

const defaultMaxSession = '1h'

export function parseTarget(resource: Resource): Parsed<RoleTarget> {
  const problems: Problem[] = []
  const { partition, account, name, attributes } = resource
  const { role, max_session: maxSession = defaultMaxSession, revocable, transitive_tags, source_identity } = attributes
  if (account === null) problems.push({ path: 'id', message: 'expected iam-role/ACCOUNT/NAME' })
  if (!/^[\w+=,.@-]{1,64}$/.test(name))
    problems.push({ path: 'id', message: 'expected the name of a role: 1–64 letters, digits and _+=,.@-' })
  const roleArn = typeof role === 'string' ? role : `arn:${partition}:iam::${account}:role/${name}`
  if (!isArnOf(roleArn, resource))
    problems.push({
      path: 'role',
      message: `expected the ARN of the role ${name} of account ${account} in partition ${partition}`,
    })
  for (const key of foreign)
    if (attributes[key] !== undefined) problems.push({ path: key, message: 'means nothing on an iam-role' })
  if (problems.length > 0) return { ok: false, problems }
  return {
    ok: true,
    value: {
      partition,
      account: account ?? '',
      roleArn,
      maxSessionMs: parseDuration(String(maxSession)) ?? 0,
      isRevocable: revocable === true,
      hasTransitiveTags: transitive_tags !== false,
      hasSourceIdentity: source_identity !== false,
    },
  }
}

const foreign = ['endpoint', 'port', 'connect_address', 'resource_id', 'database', 'ca'] as const

/** Names are unique in an account, whatever the path. */
function isArnOf(arn: string, { partition, account, name }: Resource): boolean {
  const [, arnPartition, service, , arnAccount, path = ''] = arn.split(':')
  return (
    arnPartition === partition &&
    service === 'iam' &&
    arnAccount === account &&
    path.startsWith('role/') &&
    path.slice(path.lastIndexOf('/') + 1) === name
  )
}
