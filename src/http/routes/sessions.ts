import type { FastifyPluginAsync } from 'fastify'
import { BrokerError } from '../../../proxy/session.ts'
import { isOverseer, principalReader, type ReadPrincipal } from '../../access/core.ts'
import { named } from '../../access/views.ts'
import type { SessionView } from '../../contract/sessions.ts'
import type { Login } from '../../identity/principal.ts'
import { route } from '../../identity/route.ts'
import type { FoundSession } from '../../sessions/find-session.ts'
import type { SessionQuery, SessionRow, SessionStore } from '../../sessions/session-store.ts'
import type { Sessions } from '../../sessions/sessions.ts'
import { type ListPage, readPage, toAnswer } from '../../store/lists.ts'
import type { Lists } from '../lists.ts'

export interface SessionRoutesDeps {
  readonly sessions: Pick<Sessions, 'find' | 'kill'>
  readonly store: SessionStore
  readonly lists: Pick<Lists, 'read'>
  readonly identity: { readonly principal: ReadPrincipal }
  /** For one pass: whether this person may end sessions of a grant though it isn't theirs: admins, and its approvers. */
  mayEnd(login: Login): (grantId: string) => Promise<boolean>
}

/** Listing and ending sessions. Users see and end their own; auditors see all; approvers end what they may approve. */
export const sessionRoutes =
  (deps: SessionRoutesDeps): FastifyPluginAsync =>
  async (app) => {
    route(app, 'GET /api/v1/sessions', async ({ login, query: { mine, before, ...query } }) => {
      const asked = { ...(before === undefined ? {} : { cursor: before }), ...query, ...(mine ? { who: 'me' } : {}) }
      return toAnswer('sessions', await deps.lists.read(login, asked, (found) => listVisible(deps, login, found)))
    })
    route(app, 'GET /api/v1/sessions/:id', async ({ login, params: { id } }) => {
      const [row, found] = await Promise.all([deps.store.find(id), deps.sessions.find(id)])
      const isVisible = found && (isOverseer(login) || (await mayEnd(login, found, deps.mayEnd(login))))
      if (!row || !isVisible) throw unknownSession(id)
      return { session: await present(row, principalReader(deps)) }
    })
    route(app, 'POST /api/v1/sessions/:id/kill', async ({ login, params: { id }, body: { reason = '' } }) => {
      const found = await deps.sessions.find(id)
      const isAllowed = found !== undefined && (await mayEnd(login, found, deps.mayEnd(login)))
      if (!found || !(isAllowed || isOverseer(login))) throw unknownSession(id)
      if (!isAllowed)
        throw new BrokerError('ROLE_REQUIRED', 'only its owner, an approver or an admin may end this session')
      await deps.sessions.kill(id, login.principal, reason)
    })
  }

function unknownSession(id: string): BrokerError {
  return new BrokerError('NOT_FOUND', `no session ${id}`)
}

/** What this person may see. */
async function listVisible(
  { store, identity, mayEnd: approvesFor }: SessionRoutesDeps,
  login: Login,
  query: SessionQuery,
): Promise<ListPage<SessionView>> {
  // Many sessions are of few grants.
  const known = new Map<string, Promise<boolean>>()
  const approves = approvesFor(login)
  const readPrincipal = principalReader({ identity })
  const approvesOnce = (grantId: string) => {
    const found = known.get(grantId) ?? approves(grantId)
    known.set(grantId, found)
    return found
  }
  const seesAll = query.principalId === login.principal.id || isOverseer(login)
  return await readPage<SessionRow, SessionView>(
    {
      read: (cursor, limit) => store.list(query, cursor, limit),
      cursorOf: ({ id }) => id,
      choose: async (row) =>
        seesAll || (await mayEnd(login, whoseOf(row), approvesOnce)) ? () => present(row, readPrincipal) : undefined,
      ...(seesAll ? { count: (most) => store.count(query, most) } : {}),
    },
    query,
  )
}

async function mayEnd(
  login: Login,
  { principalId, grantId }: Pick<FoundSession, 'principalId' | 'grantId'>,
  approves: (grantId: string) => Promise<boolean>,
): Promise<boolean> {
  return principalId === login.principal.id || login.roles.includes('admin') || (await approves(grantId))
}

const whoseOf = (row: SessionRow) => ({ principalId: row.principal_id, grantId: row.grant_id })

async function present(row: SessionRow, read: ReadPrincipal): Promise<SessionView> {
  return {
    id: row.id,
    principalId: row.principal_id,
    principal: row.principal_name,
    who: await named(row.principal_id, read),
    grantId: row.grant_id,
    requestId: row.request_id,
    resourceId: row.resource_id,
    kind: row.kind,
    level: row.level,
    via: row.client_via,
    address: row.client_address,
    tool: row.tool,
    detail: shownDetail(row),
    openedAt: row.opened_at,
    startedAt: row.started_at,
    endsAt: row.ends_at,
    endedAt: row.ended_at,
    endReason: row.end_reason,
    bytesUp: row.bytes_up,
    bytesDown: row.bytes_down,
    recording: { digest: row.recording_digest, entries: row.recording_entries },
  }
}

/** Without the target's address, which clients need not know. */
function shownDetail({ detail }: SessionRow): Record<string, string> {
  const { target_address: _, ...shown } = JSON.parse(detail) as Record<string, string>
  return shown
}
