import type { AuditLog, AuditRecord } from '../../audit/audit.ts'
import { sortedMembers } from '../../audit/canonical.ts'
import { checkLoggedRows, differing, type LoggedRows } from '../../audit/logged-rows.ts'
import { type Macs, type RowProblem, signedRows, unsignedRows } from '../../store/signed-rows.ts'
import type { CredentialTables } from './credential-tables.ts'

type CredentialRow = CredentialTables['role_credentials']

/** What is read of the table. */
interface Rows {
  findAll(ids: readonly string[]): Promise<ReadonlyMap<string, CredentialRow>>
  page(after: string, limit: number): Promise<readonly (CredentialRow & { readonly id: string })[]>
}

export const { signRow, isSigned } = signedRows<CredentialTables>({ role_credentials: [] }, sortedMembers)

/** Rows of issued credentials, by the log. */
export function issuedRows(store: Pick<Rows, 'findAll'>): LoggedRows<CredentialRow> {
  const where = 'credentials'
  return { where, type: 'credentials.issued', field: 'access_key', find: store.findAll, differs: issuedOtherwise }
}

function issuedOtherwise(row: CredentialRow, { actor, fields }: AuditRecord): string[] {
  return differing({
    principal: [row.principal_id, actor],
    session: [row.session_id, fields.session],
    grant: [row.grant_id, fields.grant],
    resource: [row.resource_id, fields.resource],
    credential: [row.credential_id, fields.credential],
    role: [row.role_arn, fields.role],
    account: [row.account, accountIn(String(fields.role)).account],
    works_until: [row.works_until, fields.works_until],
    revocable: [row.revocable === 1, fields.revocable],
  })
}

/** `arn:PARTITION:iam::ACCOUNT:role/NAME` */
export function accountIn(roleArn: string): { partition: string; account: string } {
  const [, partition = '', , , account = ''] = roleArn.split(':')
  return { partition, account }
}

/** Rows that the broker did not write, that are not what the log says, or that are gone. */
export async function* checkCredentialRows(
  audit: Pick<AuditLog, 'search'>,
  store: Rows,
  keyring: Macs,
): AsyncGenerator<RowProblem> {
  const known = new Set<string>()
  yield* checkLoggedRows(audit, issuedRows(store), (key) => known.add(key))
  yield* unsignedRows(
    'credentials',
    store.page,
    ({ id, ...row }) => isSigned(keyring, 'role_credentials', row) || (row.mac === null && known.has(id)),
  )
}
