import { Readable } from 'node:stream'
import type { FastifyPluginAsync, FastifyReply } from 'fastify'
import { type Static, Type } from 'typebox'
import { type AuditQuery, type AuditType, auditTypes } from '../../audit/audit.ts'
import type { AuditService } from '../../audit/create-audit.ts'
import type { AuditReport } from '../../audit/verify/report.ts'
import type { Login } from '../../identity/principal.ts'
import { requireLogin } from '../plugins/authentication.ts'

const strict = { additionalProperties: false } as const
const Instant = Type.Integer({ minimum: 0, description: 'Epoch milliseconds' })

const Search = Type.Object(
  {
    type: Type.Optional(
      Type.Array(Type.Union(auditTypes.map((type) => Type.Literal(type))), {
        maxItems: 50,
        description: 'Only these types',
      }),
    ),
    actor: Type.Optional(Type.String({ maxLength: 64, description: 'Principal id, or `system`' })),
    subject: Type.Optional(
      Type.String({ maxLength: 256, description: 'A grant, session, request, principal or resource id in any field' }),
    ),
    since: Type.Optional(Instant),
    until: Type.Optional(Instant),
    cursor: Type.Optional(Type.String({ maxLength: 200, description: '`next` of the page before' })),
    limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 1000, default: 100 })),
  },
  strict,
)

const Tail = Type.Object(
  {
    after: Type.Optional(
      Type.Integer({ minimum: 0, description: 'Events after this seq; the newest ones unless told' }),
    ),
  },
  strict,
)

export interface AuditRoutesDeps {
  readonly audit: Pick<AuditService, 'search' | 'append' | 'follow' | 'exportLines' | 'publicKeyPem'>
  /** Checks log, anchors, recordings and the MACs of every feature's rows. */
  verifyAudit(): Promise<AuditReport>
}

const access = { access: 'auditor', scope: 'audit' } as const
const ndjson = 'application/x-ndjson'

/** Reading the audit log, which is itself audited. Lists are newest first; streams are JSON lines, oldest first. */
export const auditRoutes =
  (deps: AuditRoutesDeps): FastifyPluginAsync =>
  async (app) => {
    const { audit } = deps
    app.get('/api/v1/audit/events', { config: access, schema: { querystring: Search } }, async (request) => {
      const { type, ...rest } = request.query as Static<typeof Search>
      const query: AuditQuery = { ...rest, ...(type ? { types: type as AuditType[] } : {}) }
      await noteRead(deps, requireLogin(request), { what: 'search', types: type ?? [], subject: rest.subject ?? null })
      return await audit.search(query)
    })
    app.get('/api/v1/audit/tail', { config: access, schema: { querystring: Tail } }, async (request, reply) => {
      const { after } = request.query as Static<typeof Tail>
      await noteRead(deps, requireLogin(request), { what: 'tail' })
      const newest = (await audit.search({ limit: 1 })).events[0]?.seq ?? 0
      const gone = new AbortController()
      request.raw.once('close', () => gone.abort())
      return stream(reply, tailLines(audit.follow(after ?? newest, gone.signal)))
    })
    app.get('/api/v1/audit/export', { config: access, schema: {} }, async (request, reply) => {
      const login = requireLogin(request)
      await audit.append({ type: 'audit.exported', actor: login.principal.id, fields: { login: login.id } })
      return stream(reply, newlines(audit.exportLines()))
    })
    app.get('/api/v1/audit/verify', { config: access, schema: {} }, async (request) => {
      await noteRead(deps, requireLogin(request), { what: 'verify' })
      return await deps.verifyAudit()
    })
    app.get('/api/v1/audit/public-key', { config: access, schema: {} }, async (_request, reply) =>
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

function stream(reply: FastifyReply, text: AsyncIterable<string>): FastifyReply {
  return reply.type(ndjson).header('cache-control', 'no-store').send(Readable.from(text))
}

/** An empty line first, so that the reader has its answer before anything happens. */
async function* tailLines(values: AsyncIterable<unknown>): AsyncGenerator<string> {
  yield '\n'
  for await (const value of values) yield `${JSON.stringify(value)}\n`
}

async function* newlines(texts: AsyncIterable<string>): AsyncGenerator<string> {
  for await (const text of texts) yield `${text}\n`
}
