import type { SessionRow } from '../../../src/sessions/session-store.ts'
import { newId } from '../../../src/store/ids.ts'
import { hour, ordersId } from '../identity/identity-setup.ts'

/** One of the orders database, not signed. */
export function sessionRow(who: string, openedAt: number, more: Partial<SessionRow> = {}): SessionRow {
  return {
    id: newId('ses'),
    principal_id: who,
    principal_name: `${who}@example.com`,
    grant_id: newId('grt'),
    request_id: newId('req'),
    resource_id: ordersId,
    kind: 'rds-postgres',
    level: 'readonly',
    credential_kind: 'login',
    credential_id: 'lgn_1',
    daemon_id: 'dmn_1',
    client_address: '192.0.2.1',
    client_via: 'listener',
    tool: null,
    detail: '{}',
    opened_at: openedAt,
    started_at: openedAt,
    ends_at: openedAt + hour,
    ended_at: null,
    end_reason: null,
    bytes_up: 0,
    bytes_down: 0,
    recording_entries: 0,
    recording_digest: null,
    mac: null,
    ...more,
  }
}
