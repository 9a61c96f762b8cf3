import type { CompiledQuery } from 'kysely'
import type { Macs } from '../../store/signed-rows.ts'
import type { Db } from '../../store/store.ts'
import type { AccessRequest, StageDecision } from '../requests/request.ts'
import type { AccessTables } from './access-tables.ts'
import { decisionToRow, grantToRow, requestToRow, type StoredGrant, signRow } from './rows.ts'

/**
 * Claims of events of the log: each returns a row only when what was decided on is still so, so that of several daemons that decide
 * at once one does.
 */
export function accessStatements(db: Db, keyring: Macs) {
  return {
    insertingGrant: (grant: StoredGrant): CompiledQuery =>
      db
        .insertInto('grants')
        .values(signRow(keyring, 'grants', grantToRow(grant)))
        .returning('id')
        .compile(),
    /** The row must have the version before. */
    replacingGrant: (grant: StoredGrant): CompiledQuery =>
      db
        .updateTable('grants')
        .set(signRow(keyring, 'grants', grantToRow(grant)))
        .where('id', '=', grant.id)
        .where('version', '=', grant.version - 1)
        .returning('id')
        .compile(),
    /** As it is here, and not over. */
    grantStands: ({ id, version }: StoredGrant): CompiledQuery =>
      db
        .selectFrom('grants')
        .select('id')
        .where('id', '=', id)
        .where('version', '=', version)
        .where('state', '=', 'active')
        .compile(),
    insertingRequest: (request: AccessRequest): CompiledQuery =>
      db
        .insertInto('requests')
        .values(signRow(keyring, 'requests', requestToRow(request)))
        .returning('id')
        .compile(),
    /** The row must have the version before. */
    advancingRequest: (request: AccessRequest): CompiledQuery =>
      db
        .updateTable('requests')
        .set(signRow(keyring, 'requests', requestToRow(request)))
        .where('id', '=', request.id)
        .where('version', '=', request.version - 1)
        .returning('id')
        .compile(),
    /** For one that only this daemon can have written. */
    requestIsGranted: ({ id, version }: AccessRequest): CompiledQuery =>
      db
        .selectFrom('requests')
        .select('id')
        .where('id', '=', id)
        .where('version', '=', version)
        .where('status', '=', 'granted')
        .compile(),
    insertingDecision: (decision: StageDecision): CompiledQuery =>
      db
        .insertInto('decisions')
        .values(signRow(keyring, 'decisions', decisionToRow(decision)))
        .returning('id')
        .compile(),
    /** Beside the event of its loading. */
    insertingRevision: (revision: Omit<AccessTables['rule_revisions'], 'mac'>): CompiledQuery =>
      db
        .insertInto('rule_revisions')
        .values(signRow(keyring, 'rule_revisions', revision))
        .compile(),
    /** It was written, with the step that it led to. */
    decisionStands: ({ id }: StageDecision): CompiledQuery =>
      db.selectFrom('decisions').select('id').where('id', '=', id).compile(),
  }
}
