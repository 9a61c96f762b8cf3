import { type Permission, permissionsIn } from '../aws/permissions/permission.ts'
import { narrow, type PolicyTable } from '../aws/policies/table.ts'
import type { Config } from '../config/config.ts'

/** What the broker must be allowed, with what it is set to do. */
export interface Needs {
  readonly table: PolicyTable
  readonly features: readonly string[]
  /** What the levels in force need of the values of policies, by name. */
  readonly values: Readonly<Record<string, readonly string[]>>
  /** What AWS keeps itself of all that is known, whether rules give access to it or not, by the same names. */
  readonly pushable?: Readonly<Record<string, readonly string[]>>
  readonly config: Pick<Config['aws'], 'accounts' | 'connectRole' | 'hubRoleArn' | 'regions' | 'revocationPolicy'>
}

interface Place {
  readonly partition: string
  readonly account: string
  /** Null: not known; then statements that ask for it are left out. */
  readonly organization: string | null
}

type AskedDocument =
  | 'hubPermissions'
  | 'spokePermissions'
  | 'hubAssignments'
  | 'hubMemberships'
  | 'hubManagementAssignments'

/** Permissions of the document that are asked about in one place. */
export function permissionsOf(
  document: AskedDocument,
  { table, features, values: needed, config }: Needs,
  { partition, account, organization }: Place,
): Permission[] {
  const entry = document in table.base ? table.base[document as keyof typeof table.base] : table.own[document]
  if (entry?.feature !== undefined && !features.includes(entry.feature)) return []
  const { statements } = narrow(
    { features, trusts: ['hub'] },
    entry ?? { ...table.base.hubPermissions, statements: [] },
  )
  const hubName = config.hubRoleArn?.slice(config.hubRoleArn.indexOf('/') + 1) ?? 'sallyport-check'
  const values = {
    ...Object.fromEntries(Object.entries(table.values).map(([name, { default: usual }]) => [name, usual])),
    ...{ partition, account, hubName, region: config.regions[0] ?? 'us-east-1' },
    connectRole: config.accounts[account]?.connectRole ?? config.connectRole,
    revocationPolicy: config.revocationPolicy,
    ...(organization === null ? {} : { organization }),
  }
  const isKnown = (statement: object) =>
    organization !== null || !JSON.stringify(statement).includes('{{organization}}')
  return permissionsIn({ statements: statements.filter(isKnown).flatMap((one) => spread(one, needed)) }, values)
}

/** Of one value that levels need; the others are of the same form. */
const mostValues = 20

/** A statement once for each of the values that levels need of what it holds. */
function spread<S extends object>(statement: S, needed: Needs['values']): S[] {
  const text = JSON.stringify(statement)
  const [name, values = []] = Object.entries(needed).find(([one]) => text.includes(`{{${one}}}`)) ?? []
  if (name === undefined || values.length === 0) return [statement]
  const filled = (value: string) => text.replaceAll(`{{${name}}}`, JSON.stringify(value).slice(1, -1))
  return values.slice(0, mostValues).map((value) => JSON.parse(filled(value)) as S)
}
