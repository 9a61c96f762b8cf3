import type { Aws, AwsCredentials } from '../aws/aws.ts'
import { checkRole } from '../aws/permissions/check-role.ts'
import { hubProbes, type Learned } from '../aws/permissions/hub-probes.ts'
import type { JudgedPermission } from '../aws/permissions/judge.ts'
import { type WhoAmI, whoAmI } from '../aws/permissions/who-am-i.ts'
import type { Config } from '../config/config.ts'
import type { Clock } from '../telemetry/clock.ts'
import type { Metrics } from '../telemetry/metrics.ts'
import { ofError, ofPermission, plain } from './found.ts'
import { type Needs, permissionsOf } from './needs.ts'
import { checkPushRights, notByDelegate } from './push-checks.ts'
import type { Found } from './validation-store.ts'

export interface HubCheckDeps {
  readonly aws: Pick<Aws, 'hub'>
  readonly config: Config['aws']
  readonly clock: Clock
  readonly metrics: Pick<Metrics, 'awsCallsTotal'>
  readonly needs: Needs
  /** Where Identity Center is to be. */
  readonly identityCenterRegion: string
  readonly signal: AbortSignal
}

/** What AWS lets a request be off by is five minutes. */
const mostAheadMs = 300_000
const fairAheadMs = 60_000

const hubRole = {
  check: 'hub role',
  about: 'broker',
  why: 'the way into every account leads through it',
  severity: 'high',
} as const

/** The broker's own way to AWS: its identity, its clock, and what the hub role may read. */
export async function checkHub(deps: HubCheckDeps): Promise<Found[]> {
  const { aws, config } = deps
  const call = { ...deps, credentials: aws.hub ?? undefined }
  let me: WhoAmI
  try {
    if (aws.hub) await aws.hub()
    me = await whoAmI(call)
  } catch (error) {
    return [ofError(hubRole, error)]
  }
  const detail = config.hubRoleArn === null ? `the daemon's own identity is the hub: ${me.arn}` : 'it can be assumed'
  return [plain({ ...hubRole, status: 'ok', detail }), clockCheck(me), ...(await checkPermissions(deps, call, me))]
}

function clockCheck({ aheadMs }: WhoAmI): Found {
  const shared = { check: 'clock', about: 'broker', why: 'AWS refuses what is signed at the wrong time' } as const
  if (aheadMs === null)
    return plain({ ...shared, severity: 'high', status: 'unknown', detail: 'AWS did not say what time it is' })
  const seconds = Math.round(Math.abs(aheadMs) / 1000)
  const detail =
    seconds < 2 ? 'it agrees with that of AWS' : `it is ${seconds} s ${aheadMs > 0 ? 'ahead of' : 'behind'} that of AWS`
  if (Math.abs(aheadMs) < fairAheadMs) return plain({ ...shared, severity: 'high', status: 'ok', detail })
  return plain({
    ...shared,
    severity: 'high',
    status: Math.abs(aheadMs) < mostAheadMs ? 'warning' : 'failed',
    detail: `${detail}; what differs by more than five minutes is refused`,
    fix: 'let the clock of the machine follow a time server (chrony, systemd-timesyncd)',
  })
}

async function checkPermissions(
  deps: HubCheckDeps,
  call: HubCheckDeps & { readonly credentials: (() => Promise<AwsCredentials>) | undefined },
  { account, arn }: WhoAmI,
): Promise<Found[]> {
  const { config, needs, identityCenterRegion } = deps
  const [, partition = 'aws'] = arn.split(':')
  const { probes, learned, close } = await hubProbes(call, { partition, account, identityCenterRegion })
  try {
    await probes['organizations:DescribeOrganization']?.()
    const place = { partition, account, organization: learned.organization }
    const documents = ['hubPermissions', 'hubAssignments', 'hubMemberships', 'hubManagementAssignments'] as const
    const { managementAccount } = learned
    const isPushedThere =
      managementAccount !== null && needs.values.pushedAccounts?.includes(managementAccount) === true
    const features = [...needs.features, ...(isPushedThere && managementAccount === account ? ['push-management'] : [])]
    const all = documents.flatMap((one) => permissionsOf(one, { ...needs, features }, place))
    const permissions = [...new Map(all.map((one) => [`${one.action} ${one.resource}`, one])).values()]
    const role = config.hubRoleArn ?? (/:user\//.test(arn) ? arn : null)
    const document = 'permissions of the hub role'
    const judged = await checkRole(call, { role, partition, permissions, document, probes })
    const others = needs.features.includes('organization') ? organizationChecks(learned, account, judged) : []
    const found = judged.map((one) => ofPermission(one))
    return [
      ...(others.length > 0 ? found.filter(({ check }) => !others.some((one) => one.check === check)) : found),
      ...others,
      ...(needs.features.includes('identity-center')
        ? await identityCenterChecks(deps, call, learned, partition, account)
        : []),
      ...(needs.features.some((one) => one === 'identity-center' || one.startsWith('push-'))
        ? [await checkPushRights(call, { role, partition, needed: needs.values, others: needs.pushable ?? {} })]
        : []),
      ...(isPushedThere && managementAccount !== account ? [notByDelegate(managementAccount)] : []),
    ]
  } finally {
    close()
  }
}

/** What a hub in a member account cannot do is said, not tried. */
export const delegatedLimits = [
  'AWS tells the events of the organization to the management account alone: forward them from there',
  'a delegated administrator neither assigns permission sets to the management account nor changes those that are provisioned there',
  'the assignments of Identity Center are read account by account, which takes longer',
  'stack sets reach every account but the management account: deploy account.yaml there by hand',
] as const

function organizationChecks(learned: Learned, account: string, judged: readonly JudgedPermission[]): Found[] {
  const { organization, managementAccount } = learned
  const shared = {
    check: 'organization',
    about: 'broker',
    why: 'accounts and units are read in the management account or in a delegated administrator',
    severity: 'medium',
  } as const
  if (organization === null || managementAccount === null) {
    const denied = judged.find(({ permission }) => permission.action === 'organizations:DescribeOrganization')
    return [
      plain({
        ...shared,
        status: 'failed',
        detail: `the organization cannot be read: ${denied?.detail ?? 'AWS gave no answer'}`,
        fix:
          denied?.fix ??
          'put the hub role into the management account of the organization, or into one that is a delegated administrator',
      }),
    ]
  }
  if (managementAccount === account)
    return [plain({ ...shared, status: 'ok', detail: `${organization}; the hub is in its management account` })]
  const roots = judged.find(({ permission }) => permission.action === 'organizations:ListRoots')
  if (roots?.called === 'denied' && !/not authorized to perform/.test(roots.detail))
    return [
      plain({
        ...shared,
        status: 'failed',
        detail: `account ${account}, where the hub is, is neither the management account of ${organization} nor a delegated administrator`,
        fix: `in the management account ${managementAccount} run: aws organizations register-delegated-administrator --account-id ${account} --service-principal sso.amazonaws.com`,
      }),
    ]
  return [
    plain({
      ...shared,
      status: 'ok',
      detail: `${organization}; the hub is in a delegated administrator: ${delegatedLimits.join('; ')}`,
    }),
  ]
}

const identityCenter = {
  check: 'Identity Center',
  about: 'broker',
  why: 'people, groups and permission sets are read there',
  severity: 'medium',
} as const

/** Its home, where it is not in the region that it is looked for in. */
async function identityCenterChecks(
  { config, identityCenterRegion }: HubCheckDeps,
  call: Parameters<typeof hubProbes>[0],
  { instance }: Learned,
  partition: string,
  account: string,
): Promise<Found[]> {
  if (instance !== null)
    return [plain({ ...identityCenter, status: 'ok', detail: `${instance} in ${identityCenterRegion}` })]
  for (const region of config.regions) {
    if (region === identityCenterRegion) continue
    const there = await hubProbes(call, { partition, account, identityCenterRegion: region })
    try {
      await there.probes['sso:ListInstances']?.()
      if (there.learned.instance !== null)
        return [
          plain({
            ...identityCenter,
            status: 'failed',
            detail: `it is in ${region}, and looked for in ${identityCenterRegion}`,
            fix: `set inventory.identity_center.region: ${region}, and reload`,
          }),
        ]
    } finally {
      there.close()
    }
  }
  return [
    plain({
      ...identityCenter,
      status: 'failed',
      detail: `there is no instance of the organization in ${config.regions.join(', ')}`,
      fix: 'set inventory.identity_center.region to its home region, or enable it for the organization',
    }),
  ]
}
