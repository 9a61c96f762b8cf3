import { Readable } from 'node:stream'
import type { FastifyPluginAsync } from 'fastify'
import { type Static, Type } from 'typebox'
import { BrokerError } from '../../../proxy/session.ts'
import type { AuditLog } from '../../audit/audit.ts'
import type { Recordings } from '../../recordings/recordings.ts'
import type { SessionRow, SessionStore } from '../../sessions/session-store.ts'
import { requireLogin } from '../plugins/authentication.ts'

const Listing = Type.Object(
  {
    principal: Type.Optional(Type.String({ maxLength: 64, description: 'Only sessions of this principal id' })),
    open: Type.Optional(Type.Boolean({ description: 'Only sessions that are open now' })),
    before: Type.Optional(Type.String({ maxLength: 64, description: '`next` of the page before' })),
    limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 1000, default: 100 })),
  },
  { additionalProperties: false },
)
const ById = Type.Object({ sessionId: Type.String({ pattern: '^ses_[0-9a-z]{26}$' }) })

export interface RecordingRoutesDeps {
  readonly recordings: Pick<Recordings, 'read' | 'verify'>
  readonly audit: Pick<AuditLog, 'append'>
  readonly store: SessionStore
}

const access = { access: 'auditor', scope: 'audit' } as const

/** What was said in sessions. Reading a recording is a right of its own, and audited before its first byte. */
export const recordingRoutes =
  ({ recordings, audit, store }: RecordingRoutesDeps): FastifyPluginAsync =>
  async (app) => {
    app.get('/api/v1/recordings', { config: access, schema: { querystring: Listing } }, async (request) => {
      const { principal, open, before, limit = 100 } = request.query as Static<typeof Listing>
      const rows = await store.list({
        limit,
        ...(principal === undefined ? {} : { principalId: principal }),
        ...(open === undefined ? {} : { open }),
        ...(before === undefined ? {} : { before }),
      })
      return { recordings: rows.map(present), next: rows.length === limit ? (rows.at(-1)?.id ?? null) : null }
    })
    app.get('/api/v1/recordings/:sessionId', { config: access, schema: { params: ById } }, async (request, reply) => {
      const { sessionId } = request.params as Static<typeof ById>
      const login = requireLogin(request)
      const row = await store.find(sessionId)
      if (!row) throw new BrokerError('NOT_FOUND', `no session ${sessionId}`)
      await audit.append({
        type: 'recording.read',
        actor: login.principal.id,
        fields: { session: sessionId, grant: row.grant_id, login: login.id },
      })
      const { ok, problem, entries } = await recordings.verify(sessionId, row.recording_digest)
      const header = { session: present(row), verified: { ok, entries, ...(problem === undefined ? {} : { problem }) } }
      return reply
        .type('application/x-ndjson')
        .header('cache-control', 'no-store')
        .send(Readable.from(lines(header, recordings.read(sessionId))))
    })
  }

/** First the session and whether its recording checks, then each entry. */
async function* lines(header: unknown, entries: AsyncIterable<{ entry: unknown }>): AsyncGenerator<string> {
  yield `${JSON.stringify(header)}\n`
  for await (const { entry } of entries) yield `${JSON.stringify(entry)}\n`
}

function present(row: SessionRow) {
  return {
    id: row.id,
    principalId: row.principal_id,
    principal: row.principal_name,
    grantId: row.grant_id,
    resourceId: row.resource_id,
    level: row.level,
    openedAt: row.opened_at,
    endedAt: row.ended_at,
    endReason: row.end_reason,
    entries: row.recording_entries,
    digest: row.recording_digest,
  }
}
