import t from 'tap'
import type { AuditEvent } from '../../../src/audit/audit.ts'
import { endLostWork } from '../../../src/sessions/lost-work.ts'
import { justOpened, type SessionRow } from '../../../src/sessions/session-store.ts'
import { createLogger } from '../../../src/telemetry/logger.ts'
import { resource, start } from './sessions-setup.ts'

const row: SessionRow = {
  ...justOpened,
  id: 'ses_1',
  principal_id: 'prn_1',
  principal_name: 'alice@example.com',
  grant_id: 'grt_1',
  request_id: 'req_1',
  resource_id: resource.id,
  kind: resource.kind,
  level: 'readonly',
  credential_kind: 'connect-token',
  credential_id: 'ct_1',
  daemon_id: 'dmn_0',
  client_address: '127.0.0.1',
  client_via: 'listener',
  tool: null,
  opened_at: start,
  started_at: start,
  ends_at: start + 1,
  mac: null,
}

for (const detail of ['x', 'null', '7', '"text"', '[]', '{}', '{"target_address":5}'])
  t.test(`a row whose detail is ${detail}: nothing is ended, and the log says so`, async (t) => {
    const events: AuditEvent[] = []
    await endLostWork(
      {
        kinds: { protocolOf: () => 'postgres', engineOf: () => null } as never,
        held: () => undefined,
        endLost: async () => {
          throw new Error('nothing says which process it was')
        },
        audit: { appendRemoval: async (event) => events.push(event) > 0 },
        logger: createLogger({ level: 'silent' }),
      },
      [{ ...row, detail }],
    )
    t.match(events, [{ type: 'session.work-left', fields: { session: 'ses_1', code: 'TARGET_REFUSED' } }])
  })
