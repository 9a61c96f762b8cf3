import type { CallDeps } from '../aws/permissions/calls.ts'
import { type Excess, findWider } from '../aws/permissions/wider.ts'
import { plain } from './found.ts'
import type { Found } from './validation-store.ts'

export interface PushCheck {
  /** ARN of the hub role; null: it is not known. */
  readonly role: string | null
  readonly partition: string
  /** What rules give access to, by the values of the policies. */
  readonly needed: Readonly<Record<string, readonly string[]>>
  /** What the catalog knows besides, by the same. */
  readonly others: Readonly<Record<string, readonly string[]>>
}

const shared = {
  check: 'rights to assign',
  about: 'broker',
  why: 'with more than rules need, a broker that is taken over makes anyone an administrator of any account',
  severity: 'high',
} as const

/** Of those that no rule names, so many are tried besides one that nothing has. */
const mostOthers = 10
const nothing = {
  pushedPermissionSets: 'ssoins-0000000000000000/ps-0000000000000000',
  pushedAccounts: '000000000000',
  pushedGroups: '00000000-0000-4000-8000-000000000000',
} as const

const forms = {
  pushedPermissionSets: {
    action: 'sso:CreateAccountAssignment',
    resource: 'sso:::permissionSet',
    what: 'permission set',
  },
  pushedAccounts: { action: 'sso:CreateAccountAssignment', resource: 'sso:::account', what: 'account' },
  pushedGroups: { action: 'identitystore:CreateGroupMembership', resource: 'identitystore:::group', what: 'group' },
} as const

/** Whether the hub role may change more of Identity Center than rules give access to. */
export async function checkPushRights(deps: CallDeps, check: PushCheck): Promise<Found> {
  const { role, partition } = check
  if (role === null) return unknown('it is not known which role the daemon runs as')
  const found = await findWider(deps, { role, partition, excesses: excessesOf(check) })
  if (found.allowed === null) return unknown(`not simulated: ${found.why}`)
  if (found.allowed.length === 0)
    return plain({ ...shared, status: 'ok', detail: 'by simulation it may change nothing that no rule needs' })
  const texts = [...Map.groupBy(found.allowed, ({ action }) => action)].map(
    ([action, all]) => `${action} on ${all.map(({ what }) => what).join(', ')}`,
  )
  return plain({
    ...shared,
    status: 'failed',
    detail: `by simulation it may do more than rules need: ${texts.join('; ')}`,
    fix: 'attach to the hub role what `sallyport aws policies --feature push-permission-sets --feature push-groups` prints, and remove what is wider',
  })
}

/** Rules give access to permission sets in the management account, and the hub is in another. */
export function notByDelegate(managementAccount: string): Found {
  return plain({
    check: 'permission sets in the management account',
    about: 'broker',
    why: 'who asks for them waits in vain',
    severity: 'high',
    status: 'failed',
    detail: `a delegated administrator assigns nothing in the management account ${managementAccount}`,
    fix: 'put the hub role into the management account, or let no rule give access to permission sets there',
  })
}

function unknown(detail: string): Found {
  const fix = 'allow iam:SimulatePrincipalPolicy on the role itself, as `sallyport aws policies` prints it'
  return plain({ ...shared, status: 'unknown', detail, fix })
}

function excessesOf({ partition, needed, others }: PushCheck): Excess[] {
  return Object.entries(forms).flatMap(([name, { action, resource, what }]) => {
    const wanted = new Set(needed[name])
    const rest = (others[name] ?? []).filter((one) => !wanted.has(one)).slice(0, mostOthers)
    const of = (value: string, text: string) => ({
      action,
      resource: `arn:${partition}:${resource}/${value}`,
      what: text,
    })
    return [
      of(nothing[name as keyof typeof nothing], `any ${what}`),
      ...rest.map((one) => of(one, `the ${what} ${one}`)),
    ]
  })
}
