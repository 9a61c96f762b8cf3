import { Type } from 'typebox'
import { Value } from 'typebox/value'
import type { Parsed, Problem } from '../../catalog/kind.ts'
import { memberProblems } from '../../catalog/member-problems.ts'
import type { Resource } from '../../catalog/resource.ts'
import { Duration, RoleArn, strict } from '../../config/schema/members.ts'
import { parseDuration } from '../../config/units.ts'

/** One IAM role whose sessions people use. */
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
  /** `AROA…`, which AWS gives to no other role; null: not known, it is written by hand alone. */
  readonly roleId: string | null
  /** Who else decides about its sessions; null: no one. */
  readonly managedBy: RoleManager | null
  /** Actions that its trust policy does not allow the broker. */
  readonly lacking: readonly string[]
  /** `2026-01-02`, of a role that was not used for long; null: it was, or it is not known. */
  readonly lastUsed: string | null
}

export const roleManagers = ['identity-center', 'aws', 'sallyport'] as const
export type RoleManager = (typeof roleManagers)[number]

const defaultMaxSession = '1h'

const members = {
  role: Type.Optional(RoleArn('ARN of the role, when it has a path')),
  max_session: Type.Optional(
    Duration('MaxSessionDuration of the role; chained sessions end after an hour in any case', defaultMaxSession, {
      least: '1h',
      most: '12h',
    }),
  ),
  revocable: Type.Optional(
    Type.Boolean({
      description:
        'The role has the policy of aws.revocation_policy as its permissions boundary: credentials already handed out are killed when the grant ends',
      default: false,
    }),
  ),
  transitive_tags: Type.Optional(
    Type.Boolean({ description: "Sessions pass the grant's tags on to roles assumed from them", default: true }),
  ),
  source_identity: Type.Optional(
    Type.Boolean({
      description: 'Sessions carry the person as SourceIdentity, also in roles assumed from them',
      default: true,
    }),
  ),
}

/** What may be written by hand; the rest is discovered alone. */
const schema = Type.Object(members, strict)

const discovered = Type.Object(
  {
    ...members,
    role_id: Type.Optional(Type.String()),
    managed_by: Type.Optional(Type.Union(roleManagers.map((one) => Type.Literal(one)))),
    lacking: Type.Optional(Type.Array(Type.String())),
    last_used: Type.Optional(Type.String()),
  },
  strict,
)

const words = { noun: 'an iam-role', mapping: 'expected a mapping' }

function read(resource: Resource): Parsed<RoleTarget> {
  const { partition, account, name, attributes } = resource
  if (!Value.Check(discovered, attributes)) return { ok: false, problems: memberProblems(schema, attributes, words) }
  if (account === null) return { ok: false, problems: [{ path: 'id', message: 'expected iam-role/ACCOUNT/NAME' }] }
  const { role: roleArn = `arn:${partition}:iam::${account}:role/${name}` } = attributes
  const problems: Problem[] = []
  if (!/^[\w+=,.@-]{1,64}$/.test(name))
    problems.push({ path: 'id', message: 'expected the name of a role: 1–64 letters, digits and _+=,.@-' })
  if (!isArnOf(roleArn, resource))
    problems.push({
      path: 'role',
      message: `expected the ARN of the role ${name} of account ${account} in partition ${partition}`,
    })
  if (problems.length > 0) return { ok: false, problems }
  return {
    ok: true,
    value: {
      partition,
      account,
      roleArn,
      maxSessionMs: parseDuration(attributes.max_session ?? defaultMaxSession) ?? 0,
      isRevocable: attributes.revocable === true,
      hasTransitiveTags: attributes.transitive_tags !== false,
      hasSourceIdentity: attributes.source_identity !== false,
      roleId: attributes.role_id ?? null,
      managedBy: attributes.managed_by ?? null,
      lacking: attributes.lacking ?? [],
      lastUsed: attributes.last_used ?? null,
    },
  }
}

export const roleTarget = { schema, read }

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
