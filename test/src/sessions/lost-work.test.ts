import t from 'tap'
import { BrokerError } from '../../../proxy/session.ts'
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
        kinds: { protocolOf: () => 'postgres', channelsOf: () => undefined, engineOf: () => null } as never,
        heldBy: async () => undefined,
        tunnels: { isLeftBy: () => false },
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

for (const [protocol, process] of [
  ['postgres', { backend_pid: '4711', backend_start: '2026-11-28 06:00:00.123456+00' }],
  ['mysql', { thread_id: '4711', server: '7 db-1' }],
] as const)
  t.test(`the log says what served a session of ${protocol}`, async (t) => {
    const events: AuditEvent[] = []
    const detail = { ...process, user: 'sallyport_ro', target_address: '10.0.0.5:3306' }
    let isThere = true
    const deps = {
      kinds: {
        protocolOf: () => protocol,
        channelsOf: () => undefined,
        engineOf: () => ({ address: { host: 'x', port: 1 } }),
        leaseToEnd: async () => ({ user: 'sallyport_ro', secret: 'x', expiresAt: start }),
      } as never,
      heldBy: async () => ({}) as never,
      tunnels: { isLeftBy: () => false },
      endLost: async (lost: { readonly protocol: string; readonly detail: object }) => {
        t.match(lost, { protocol, detail })
        if (!isThere) throw new BrokerError('TARGET_REFUSED', 'another session has the number of its thread now')
      },
      audit: { appendRemoval: async (event: AuditEvent) => events.push(event) > 0 },
      logger: createLogger({ level: 'silent' }),
    }
    const lost = [{ ...row, detail: JSON.stringify(detail) }]
    await endLostWork(deps, lost)
    isThere = false
    await endLostWork(deps, lost)
    const fields = { session: 'ses_1', grant: 'grt_1', resource: resource.id, ...process }
    t.same(
      events.map((event) => [event.type, event.fields]),
      [
        ['session.work-ended', fields],
        ['session.work-left', { ...fields, code: 'TARGET_REFUSED' }],
      ],
    )
  })
