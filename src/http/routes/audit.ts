import type { FastifyPluginAsync } from 'fastify'
import type { AuditService } from '../../audit/create-audit.ts'
import { AuditRecord, type AuditReport } from '../../contract/audit.ts'
import type { Login } from '../../identity/principal.ts'
import { route } from '../../identity/route.ts'
import { sendLines } from '../ndjson.ts'

export interface AuditRoutesDeps {
  readonly audit: Pick<AuditService, 'search' | 'append' | 'follow' | 'exportLines' | 'publicKeyPem'>
  /** Checks log, anchors, recordings and the MACs of every feature's rows. */
  verifyAudit(): Promise<AuditReport>
}

/** Reading the audit log, which is itself audited. Lists are newest first; streams are JSON lines, oldest first. */
export const auditRoutes =
  (deps: AuditRoutesDeps): FastifyPluginAsync =>
  async (app) => {
    const { audit } = deps
    route(app, 'GET /api/v1/audit/events', async ({ login, query: { type, ...rest } }) => {
      await noteRead(deps, login, { what: 'search', types: type ?? [], subject: rest.subject ?? null })
      return await audit.search({ ...rest, ...(type ? { types: type } : {}) })
    })
    route(app, 'GET /api/v1/audit/tail', async ({ login, query: { after }, request, reply }) => {
      await noteRead(deps, login, { what: 'tail' })
      const newest = (await audit.search({ limit: 1 })).events[0]?.seq ?? 0
      const gone = new AbortController()
      request.raw.once('close', () => gone.abort())
      const toText = reply.compileSerializationSchema({ ...AuditRecord })
      return sendLines(reply, tailLines(audit.follow(after ?? newest, gone.signal), toText))
    })
    route(app, 'GET /api/v1/audit/export', async ({ login, reply }) => {
      await audit.append({ type: 'audit.exported', actor: login.principal.id, fields: { login: login.id } })
      return sendLines(reply, newlines(audit.exportLines()))
    })
    route(app, 'GET /api/v1/audit/verify', async ({ login }) => {
      await noteRead(deps, login, { what: 'verify' })
      return await deps.verifyAudit()
    })
    route(app, 'GET /api/v1/audit/public-key', async ({ reply }) =>
      reply.type('application/x-pem-file').send(audit.publicKeyPem),
    )
  }

async function noteRead(
  { audit }: AuditRoutesDeps,
  login: Login,
  fields: Readonly<Record<string, string | null | readonly string[]>>,
): Promise<void> {
  await audit.append({ type: 'audit.read', actor: login.principal.id, fields: { ...fields, login: login.id } })
}

/** An empty line first, so that the reader has its answer before anything happens. */
async function* tailLines(
  records: AsyncIterable<AuditRecord>,
  toText: (record: AuditRecord) => string,
): AsyncGenerator<string> {
  yield '\n'
  for await (const record of records) yield `${toText(record)}\n`
}

async function* newlines(texts: AsyncIterable<string>): AsyncGenerator<string> {
  for await (const text of texts) yield `${text}\n`
}
