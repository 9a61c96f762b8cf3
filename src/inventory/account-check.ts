import { BrokerError } from '../../proxy/session.ts'
import type { AuditLog } from '../audit/audit.ts'
import type { Aws } from '../aws/aws.ts'
import type { AccountReport, RoleToTry } from '../aws/onboarding.ts'
import type { Kind } from '../catalog/kind.ts'
import type { Resource } from '../catalog/resource.ts'
import type { Config } from '../config/config.ts'
import type { Login } from '../identity/principal.ts'

export interface AccountCheckDeps {
  readonly audit: Pick<AuditLog, 'append'>
  readonly aws: Pick<Aws, 'checkAccount'>
  readonly config: Pick<Config['aws'], 'accounts'>
  readonly kinds: ReadonlyMap<string, Kind>
  resources(): readonly Resource[]
  /** @throws BrokerError LOGIN_REQUIRED, PROVIDER_UNAVAILABLE */
  idToken(loginId: string): Promise<string>
}

/** Tries the registered accounts, one after the other: it is a person who waits, and STS is shared with everybody. */
export function createAccountCheck({ audit, aws, config, kinds, resources, idToken }: AccountCheckDeps) {
  return async ({ id, principal }: Login, only: string | undefined): Promise<AccountReport[]> => {
    const accounts = Object.keys(config.accounts).filter((account) => only === undefined || account === only)
    if (accounts.length === 0)
      throw new BrokerError('NOT_FOUND', only === undefined ? 'aws.accounts names none' : `aws.accounts has no ${only}`)
    const reports: AccountReport[] = []
    for (const account of accounts) {
      const own = resources().filter((resource) => resource.account === account)
      reports.push(await aws.checkAccount(account, rolesOf(own, kinds), () => idToken(id)))
    }
    const failed = reports.filter(({ ok }) => !ok).map(({ account }) => account)
    await audit.append({ type: 'account.validated', actor: principal.id, fields: { accounts, failed } })
    return reports
  }
}

/** Each role once, whatever the number of resources behind it. */
function rolesOf(resources: readonly Resource[], kinds: ReadonlyMap<string, Kind>): RoleToTry[] {
  const roles = resources.flatMap((resource) => {
    const kind = kinds.get(resource.kind)
    const target = kind?.parseTarget(resource)
    return target?.ok ? (kind?.roles?.(target.value) ?? []) : []
  })
  return [...new Map(roles.map((role) => [role.arn, role])).values()]
}
