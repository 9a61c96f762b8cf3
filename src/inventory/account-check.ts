import { BrokerError } from '../../proxy/session.ts'
import type { AuditLog } from '../audit/audit.ts'
import type { Aws } from '../aws/aws.ts'
import { featuresFor, type Kinds, kindNamed } from '../catalog/kind.ts'
import type { CatalogEntry } from '../catalog/resource.ts'
import type { RoleToTry } from '../catalog/role-to-try.ts'
import type { Config } from '../config/config.ts'
import type { AccountReport } from '../contract/aws.ts'
import type { Login } from '../identity/principal.ts'

export interface AccountCheckDeps {
  readonly audit: Pick<AuditLog, 'append'>
  readonly aws: Pick<Aws, 'checkAccount'>
  readonly config: Pick<Config['aws'], 'accounts'>
  readonly kinds: Kinds
  resources(): readonly CatalogEntry[]
  /** @throws BrokerError LOGIN_REQUIRED, PROVIDER_UNAVAILABLE */
  idToken(loginId: string): Promise<string>
}

/** @param only checks this account only. Audited. @throws BrokerError NOT_FOUND */
export type AccountCheck = (login: Login, only: string | undefined) => Promise<AccountReport[]>

/** Checks the registered accounts one after the other, since STS is shared with all sessions. */
export function createAccountCheck({ audit, aws, config, kinds, resources, idToken }: AccountCheckDeps): AccountCheck {
  return async ({ id, principal }, only) => {
    const accounts = Object.keys(config.accounts).filter((account) => only === undefined || account === only)
    if (accounts.length === 0)
      throw new BrokerError(
        'NOT_FOUND',
        only === undefined ? 'no accounts are registered under aws.accounts' : `aws.accounts does not contain ${only}`,
      )
    const reports: AccountReport[] = []
    for (const account of accounts) {
      const own = resources().filter((resource) => resource.account === account)
      const report = await aws.checkAccount(account, rolesOf(own, kinds), () => idToken(id))
      reports.push({ ...report, features: featuresFor(kinds, own) })
    }
    const failed = reports.filter(({ ok }) => !ok).map(({ account }) => account)
    await audit.append({ type: 'account.validated', actor: principal.id, fields: { accounts, failed } })
    return reports
  }
}

/** Each role once, however many resources use it. */
export function rolesOf(entries: readonly CatalogEntry[], kinds: Kinds): RoleToTry[] {
  const roles = entries.flatMap(({ kind, target }) => kindNamed(kinds, kind)?.roles?.(target) ?? [])
  return [...new Map(roles.map((role) => [JSON.stringify([role.arn, role.isReach]), role])).values()]
}
