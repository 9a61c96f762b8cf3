import type { Aws } from '../aws/aws.ts'
import { accountProbes } from '../aws/permissions/account-probes.ts'
import { checkRole } from '../aws/permissions/check-role.ts'
import type { RoleToTry } from '../catalog/role-to-try.ts'
import type { Config } from '../config/config.ts'
import type { Metrics } from '../telemetry/metrics.ts'
import { ofPermission, plain } from './found.ts'
import { type Needs, permissionsOf } from './needs.ts'
import type { Found } from './validation-store.ts'

/** Where the organization that is read has an account. */
export interface OrganizationPlace {
  /** Of the organization. */
  readonly id: string | null
  /** Null: the account is not in it. */
  readonly state: string | null
  readonly title: string | null
  /** `ou-…` or `r-…` */
  readonly unit: string | null
  /** By the names of units. */
  readonly path: string | null
}

/** What is known of an account before anything is tried in it. */
export interface KnownAccount {
  readonly id: string
  /** It stands under aws.accounts. */
  readonly isWritten: boolean
  /** Its spoke role could be assumed before. */
  readonly wasGood: boolean
  /** Nothing of it can be checked without a person's ID token. */
  readonly needsPerson: boolean
  /** In the organization; null: the organization is not read. */
  readonly organization: OrganizationPlace | null
}

export interface AccountCheckDeps {
  readonly aws: Pick<Aws, 'checkAccount' | 'spoke'>
  readonly config: Config['aws']
  readonly metrics: Pick<Metrics, 'awsCallsTotal'>
  readonly needs: Needs
  readonly signal: AbortSignal
  /** Of who asks, for accounts that take nothing else. @throws BrokerError LOGIN_REQUIRED */
  idToken(): Promise<string>
}

export interface CheckedAccount {
  readonly found: readonly Found[]
  /** The spoke role could be assumed. */
  readonly isGood: boolean
}

export const spokeCheck = 'spoke role with the ExternalId'

/** Trust and permissions of the broker in one account, and of the roles that it uses there. */
export async function checkAccountWhole(
  deps: AccountCheckDeps,
  known: KnownAccount,
  roles: readonly RoleToTry[],
): Promise<CheckedAccount> {
  const { aws, config, needs } = deps
  const account = known.id
  const member = membershipCheck(known)
  if (member?.status === 'failed') return { found: [member], isGood: false }
  const before = member ? [member] : []
  const { trust, findings } = await aws.checkAccount(account, roles, () => deps.idToken())
  const isGood = findings.every(({ check, outcome }) => check !== spokeCheck || outcome === 'ok')
  if (!isGood && !known.isWritten && !known.wasGood) return { found: [...before, notOnboarded(account)], isGood }
  const trusted = findings.map(({ check, outcome, detail, fix }) =>
    plain({
      ...{ check, about: 'trust', why: whyOf(check), severity: 'high', detail, fix },
      status: outcome === 'skipped' ? 'unknown' : outcome,
    }),
  )
  if (trust !== 'hub' || !isGood) return { found: [...before, ...trusted], isGood }
  const partition = config.accounts[account]?.partition ?? 'aws'
  const place = { partition, account }
  const role = `arn:${partition}:iam::${account}:role/${config.accounts[account]?.connectRole ?? config.connectRole}`
  const call = { ...deps, credentials: () => aws.spoke(place) }
  const permissions = permissionsOf('spokePermissions', needs, { ...place, organization: null })
  const judged = await checkRole(call, {
    ...{ role, partition, permissions },
    document: 'permissions of the spoke role',
    probes: accountProbes(call, place, config),
  })
  return { found: [...before, ...trusted, ...judged.map((one) => ofPermission(one))], isGood }
}

export const membership = 'organization'

const organization = {
  check: membership,
  about: 'broker',
  why: 'the hub may assume roles of its own organization alone',
  severity: 'high',
} as const

function membershipCheck({ id, organization: known }: KnownAccount): Found | null {
  if (known === null) return null
  if (known.state === null)
    return plain({
      ...organization,
      status: 'failed',
      detail: `account ${id} is not in the organization ${known.id ?? 'of the hub'}`,
      fix: 'a broker serves one organization: give the other one a broker of its own, and remove the account from aws.accounts',
    })
  if (known.state !== 'ACTIVE')
    return plain({
      ...organization,
      status: 'failed',
      detail: `account ${id} is ${known.state}`,
      fix: 'reopen it in the management account, or remove it from aws.accounts',
    })
  return plain({ ...organization, status: 'ok', detail: 'the account is in it, and active' })
}

function notOnboarded(account: string): Found {
  return plain({
    check: spokeCheck,
    about: 'trust',
    why: whyOf(spokeCheck),
    severity: 'low',
    status: 'unknown',
    detail: `account ${account} is not onboarded: there is no spoke role that the hub may assume`,
    fix: 'run: sallyport aws onboard',
  })
}

function whyOf(check: string): string {
  if (check === spokeCheck) return 'everything in the account is done by way of it'
  if (/ExternalId$/.test(check)) return 'nobody else may have the hub assume a role for them'
  if (/ID token/.test(check)) return 'the account takes nothing but ID tokens of people'
  return 'sessions carry the person and the grant'
}
