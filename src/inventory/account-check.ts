import { BrokerError } from '../../proxy/session.ts'
import type { AuditLog } from '../audit/audit.ts'
import type { Aws } from '../aws/aws.ts'
import { featuresFor, type Kind, type Kinds, kindNamed } from '../catalog/kind.ts'
import type { CatalogEntry } from '../catalog/resource.ts'
import type { RoleToTry, TaggedTry } from '../catalog/role-to-try.ts'
import { longestTags } from '../catalog/session-tags.ts'
import type { Config } from '../config/config.ts'
import type { AccountReport } from '../contract/aws.ts'
import type { Login } from '../identity/principal.ts'

export interface AccountCheckDeps {
  readonly audit: Pick<AuditLog, 'append'>
  readonly aws: Pick<Aws, 'checkAccount'>
  readonly config: Pick<Config['aws'], 'accounts'>
  readonly kinds: Kinds
  resources(): readonly CatalogEntry[]
  /** What its levels mean, by name. */
  levelsOf(entry: CatalogEntry): ReadonlyMap<string, unknown>
  /** @throws BrokerError LOGIN_REQUIRED, PROVIDER_UNAVAILABLE */
  idToken(loginId: string): Promise<string>
}

/** @param only checks this account only. Audited. @throws BrokerError NOT_FOUND */
export type AccountCheck = (login: Login, only: string | undefined) => Promise<AccountReport[]>

/** Checks the registered accounts one after the other, since STS is shared with all sessions. */
export function createAccountCheck({
  audit,
  aws,
  config,
  kinds,
  resources,
  levelsOf,
  idToken,
}: AccountCheckDeps): AccountCheck {
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
      const report = await aws.checkAccount(account, rolesOf(own, kinds, levelsOf), () => idToken(id))
      reports.push({ ...report, features: featuresFor(kinds, own) })
    }
    const failed = reports.filter(({ ok }) => !ok).map(({ account }) => account)
    await audit.append({ type: 'account.validated', actor: principal.id, fields: { accounts, failed } })
    return reports
  }
}

/** Each role once, however many resources use it, and with the tags of each level that has some. */
export function rolesOf(
  entries: readonly CatalogEntry[],
  kinds: Kinds,
  levelsOf: AccountCheckDeps['levelsOf'],
): RoleToTry[] {
  const roles = entries.flatMap((entry) => {
    const kind = kindNamed(kinds, entry.kind)
    const plain = kind?.roles?.(entry.target) ?? []
    const tries = kind?.tagged
      ? [...levelsOf(entry)].flatMap(([name, level]) => taggedTry(kind.tagged, name, level))
      : []
    return [...plain, ...tries.flatMap((tagged) => plain.map((role) => ({ ...role, tagged })))]
  })
  return [...new Map(roles.map((role) => [JSON.stringify([role.arn, role.isReach, role.tagged]), role])).values()]
}

function taggedTry(tagged: Kind['tagged'], level: string, meant: unknown): TaggedTry[] {
  const templates = tagged?.templatesOf(meant) ?? null
  return tagged && templates ? [{ level, tags: longestTags(templates), ...tagged.packedWith(meant) }] : []
}
