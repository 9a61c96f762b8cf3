/** What IAM says of a brokered role: who may assume it besides the broker, and how long its sessions last (`iam:GetRole`). */
import type { Role } from '@aws-sdk/client-iam'
import { BrokerError } from '../../../proxy/session.ts'
import { toRoleError } from '../../aws/aws-errors.ts'
import { clientOptions, iamRegionOf, toIdentity } from '../../aws/client-options.ts'
import { counted } from '../../aws/counted.ts'
import { heldBy } from '../../catalog/kind.ts'
import type { CatalogEntry } from '../../catalog/resource.ts'
import type { TargetCheck } from '../../contract/aws.ts'
import { fail, failedAt, ok, someOf, warn } from '../checks.ts'
import type { KindParts } from '../module.ts'
import { iamRole } from './kind.ts'
import type { RoleLevel } from './level.ts'
import type { RoleTarget } from './target.ts'

type Parts = Pick<KindParts, 'aws' | 'config' | 'metrics'>

export async function checkRoleTarget(
  parts: Parts,
  entry: CatalogEntry,
  levels: ReadonlyMap<string, unknown>,
  signal: AbortSignal,
): Promise<TargetCheck[]> {
  const { target } = heldBy(iamRole, { resource: entry, target: entry.target, level: null })
  const { account } = target
  if (parts.config.aws.accounts[account]?.trust === 'web_identity')
    return [
      ok('role', `account ${account} takes ID tokens alone: it is tried by sallyport aws validate account/${account}`),
    ]
  let role: Role
  try {
    role = await readRole(parts, target, signal)
  } catch (error) {
    signal.throwIfAborted()
    return [failedAt('role', error, 'run: sallyport aws policies')]
  }
  const named = [...levels].map(([name, level]) => [name, level as RoleLevel] as const)
  return [
    ...durationChecks(role, target, named),
    bypassCheck(role, spokeOf(parts, target)),
    ...(target.isRevocable ? [boundaryCheck(parts, role, target)] : []),
  ]
}

function spokeOf({ config }: Parts, { partition, account }: RoleTarget): string {
  const { connectRole = config.aws.connectRole } = config.aws.accounts[account] ?? {}
  return `arn:${partition}:iam::${account}:role/${connectRole}`
}

async function readRole({ aws, config, metrics }: Parts, target: RoleTarget, signal: AbortSignal): Promise<Role> {
  const { partition, account, roleArn } = target
  const { IAMClient, GetRoleCommand } = await import('@aws-sdk/client-iam')
  const client = new IAMClient({
    ...(await clientOptions(config.aws, 'iam')),
    region: iamRegionOf(partition),
    credentials: () => aws.spoke({ partition, account }).then(toIdentity),
  })
  try {
    const command = new GetRoleCommand({ RoleName: roleArn.slice(roleArn.lastIndexOf('/') + 1) })
    const { Role: role } = await counted(metrics, { service: 'iam', operation: 'GetRole' }, () =>
      client.send(command, { abortSignal: signal }),
    )
    if (!role) throw new BrokerError('AWS_UNAVAILABLE', `IAM answered without the role ${roleArn}`)
    return role
  } catch (error) {
    throw toRoleError(error, 'GetRole', roleArn)
  } finally {
    client.destroy()
  }
}

/** Chained sessions last an hour at most, whatever the role allows. */
function durationChecks(
  { MaxSessionDuration: seconds = 3600 }: Role,
  { maxSessionMs }: RoleTarget,
  levels: readonly (readonly [string, RoleLevel])[],
): TargetCheck[] {
  const roleMs = seconds * 1000
  const says = `the role's MaxSessionDuration is ${toHours(roleMs)}`
  const long = levels.filter(([, { sessionMs }]) => sessionMs !== null && sessionMs > roleMs).map(([name]) => name)
  const fix = 'raise it with aws iam update-role --max-session-duration, or shorten what is configured'
  return [
    maxSessionMs > roleMs
      ? warn('max_session', `${says}, less than the ${toHours(maxSessionMs)} of max_session`, fix)
      : ok('max_session', says),
    ...(long.length === 0 ? [] : [warn('session of levels', `${says}, less than the session of ${someOf(long)}`, fix)]),
  ]
}

function toHours(ms: number): string {
  return `${Math.round(ms / 36_000) / 100} h`
}

/** Who comes in without the broker: without a grant, a recording and an end. */
function bypassCheck({ AssumeRolePolicyDocument: text = '' }: Role, spoke: string): TargetCheck {
  const others = principalsOf(text).filter((principal) => principal !== spoke)
  if (others.length === 0) return ok('who may assume it', 'the spoke role alone')
  return warn(
    'who may assume it',
    `without the broker, too: ${someOf(others)}`,
    `let its trust policy name ${spoke} alone, as \`sallyport aws policies\` prints it`,
  )
}

/** Of the statements that allow something; each once. IAM sends the document percent-encoded. */
function principalsOf(text: string): string[] {
  const document = JSON.parse(text.startsWith('%7B') ? decodeURIComponent(text) : text) as { Statement?: unknown }
  const statements = [document.Statement ?? []].flat() as { Effect?: string; Principal?: unknown }[]
  const named = statements
    .filter(({ Effect }) => Effect === 'Allow')
    .flatMap(({ Principal = {} }) =>
      typeof Principal === 'string'
        ? [Principal]
        : Object.values(Principal as Record<string, string | string[]>).flat(),
    )
  return [...new Set(named)].sort()
}

function boundaryCheck({ config }: Parts, { PermissionsBoundary: found }: Role, target: RoleTarget): TargetCheck {
  const { partition, account } = target
  const wanted = `arn:${partition}:iam::${account}:policy/${config.aws.revocationPolicy}`
  if (found?.PermissionsBoundaryArn === wanted)
    return ok('permissions boundary', 'it is the policy that ends credentials')
  return fail(
    'permissions boundary',
    `the resource is revocable, and the role has ${found?.PermissionsBoundaryArn ?? 'no permissions boundary'}: credentials that were handed out would not be ended`,
    `attach it: aws iam put-role-permissions-boundary --role-name ${target.roleArn.slice(target.roleArn.lastIndexOf('/') + 1)} --permissions-boundary ${wanted}`,
  )
}
