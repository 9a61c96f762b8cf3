import type { AccessTables } from '../access/rows/access-tables.ts'
import type { AuditTables } from '../audit/audit-tables.ts'
import type { IdentityTables } from '../identity/identity-tables.ts'
import type { CredentialTables } from '../kinds/iam-role/credential-tables.ts'
import type { SessionTables } from '../sessions/session-tables.ts'

/**
 * All tables. Each feature declares and queries its own; nobody reads another's.
 * Portable to both stores: `text`, `integer` (booleans 0/1), `bigint` for epoch milliseconds, JSON as `text`, `blob` for sealed values.
 */
export interface Database extends IdentityTables, AccessTables, SessionTables, AuditTables, CredentialTables {
  settings: { key: string; value: string }
}
