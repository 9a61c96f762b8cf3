import { Readable } from 'node:stream'
import type { FastifyPluginAsync } from 'fastify'
import type { AuditService } from '../../audit/create-audit.ts'
import { eventFile } from '../../audit/event-files.ts'
import { allEvents } from '../../audit/read-events.ts'
import { LastReport } from '../../audit/verify/last-report.ts'
import { AuditRecord, type AuditReport } from '../../contract/audit.ts'
import type { Input } from '../../contract/routes.ts'
import type { Login } from '../../identity/principal.ts'
import { route } from '../../identity/route.ts'
import { preflightPrincipal } from '../../sessions/preflights.ts'
import { countUpToCap, toAnswer } from '../../store/lists.ts'
import { type Lists, nothingOf } from '../lists.ts'
import { sendLines } from '../ndjson.ts'

export interface AuditRoutesDeps {
  readonly lists: Pick<Lists, 'who' | 'resource'>
  readonly audit: Pick<AuditService, 'search' | 'count' | 'append' | 'follow' | 'exportLines' | 'publicKeyPem'>
  /** Checks log, anchors, recordings and the MACs of every feature's rows. */
  verifyAudit(): Promise<AuditReport>
  now(): number
}

/** Reading the audit log, which is itself audited. Lists are newest first; streams are JSON lines, oldest first. */
export const auditRoutes =
  (deps: AuditRoutesDeps): FastifyPluginAsync =>
  async (app) => {
    const { audit } = deps
    const reports = new LastReport(deps.verifyAudit, deps.now)
    route(app, 'GET /api/v1/audit/events', async ({ login, query }) => {
      const { asked, noted } = await resolve(deps, login, query)
      await noteRead(deps, login, { what: 'search', subject: null, ...noted })
      const { events, next } = await audit.search(asked)
      const isWhole = query.cursor === undefined && next === null
      const counted = isWhole
        ? { total: events.length, capped: false }
        : await countUpToCap((most) => audit.count(asked, most))
      return toAnswer('events', { items: events, next, ...counted })
    })
    route(app, 'GET /api/v1/audit/events/file', async ({ login, query: { format, ...query }, reply }) => {
      const { asked, noted } = await resolve(deps, login, query)
      const fields = { login: login.id, format, subject: null, ...noted }
      await audit.append({ type: 'audit.exported', actor: login.principal.id, fields })
      const name = `sallyport-events-${new Date(deps.now()).toISOString().slice(0, 10)}.${format}`
      return reply
        .type(format === 'csv' ? 'text/csv; charset=utf-8' : 'application/x-ndjson')
        .header('cache-control', 'no-store')
        .header('content-disposition', `attachment; filename="${name}"`)
        .send(Readable.from(eventFile(allEvents(audit, asked), format)))
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
      return await reports.check()
    })
    route(app, 'GET /api/v1/audit/proof', async () => {
      const { checkedAt, report } = reports.last ?? {}
      const { events } = await audit.search({ limit: 1 })
      return {
        checkedAt: checkedAt ?? null,
        ok: report?.ok ?? null,
        summary: report?.summary ?? null,
        head: events[0]?.seq ?? 0,
        signedSeq: report?.signed?.seq ?? null,
        anchoredSeq: report?.anchored?.seq ?? null,
        anchoredAt: report?.anchored?.at ?? null,
        problems: report?.problemCount ?? 0,
      }
    })
    route(app, 'GET /api/v1/audit/public-key', async ({ reply }) =>
      reply.type('application/x-pem-file').send(audit.publicKeyPem),
    )
  }

type EventQuery = Omit<Input<'GET /api/v1/audit/events/file', 'query'>, 'format'>

/** The filters with names resolved, and as the log keeps what was asked. @throws BrokerError NOT_FOUND */
async function resolve(deps: AuditRoutesDeps, login: Login, query: EventQuery) {
  const { type: types, actor, subject, who, resource, ...rest } = query
  const ids = await resolveNames(deps, login, { actor, subject, who, resource })
  const given = Object.entries(ids).flatMap(([name, id]) => (id === undefined ? [] : [[name, id] as const]))
  return {
    asked: {
      ...rest,
      about: [ids.subject, ids.who, ids.resource].filter((id) => id !== undefined),
      ...(types ? { types } : {}),
      ...(ids.actor === undefined ? {} : { actor: ids.actor }),
    },
    noted: { types: types ?? [], ...Object.fromEntries(given) },
  }
}

type Names<T> = Readonly<Record<'actor' | 'subject' | 'who' | 'resource', T | undefined>>

/**
 * The ids to search for. What is no longer in the directory or the catalog is still found by its id.
 * @throws BrokerError NOT_FOUND for a name that nobody has and that is in no event
 */
async function resolveNames(deps: AuditRoutesDeps, login: Login, names: Names<string>): Promise<Names<string>> {
  const { lists } = deps
  const known = async (name: string | undefined, ...ways: readonly Lists['who'][]) => {
    if (name === undefined) return undefined
    for (const way of ways) {
      const { id, isKnown } = await way(login, name)
      if (isKnown) return id
    }
    if ((await deps.audit.count({ subject: name }, 1)) === 0) throw nothingOf(name)
    return name
  }
  const resource: Lists['who'] = async (...ask) => lists.resource(...ask)
  return {
    actor:
      names.actor === 'system' || names.actor === preflightPrincipal
        ? names.actor
        : await known(names.actor, lists.who),
    subject: await known(names.subject, lists.who, resource),
    who: await known(names.who, lists.who),
    resource: await known(names.resource, resource),
  }
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
