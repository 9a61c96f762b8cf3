import type { FastifyPluginAsync } from 'fastify'
import { BrokerError } from '../../../proxy/session.ts'
import type { SessionView } from '../../contract/sessions.ts'
import type { Login } from '../../identity/principal.ts'
import { route } from '../../identity/route.ts'
import type { SessionQuery, SessionRow, SessionStore } from '../../sessions/session-store.ts'
import type { Sessions } from '../../sessions/sessions.ts'
import { type ListPage, readPage } from '../../store/lists.ts'
import { type Lists, toAnswer } from '../lists.ts'

export interface SessionRoutesDeps {
  readonly sessions: Pick<Sessions, 'kill'>
  readonly store: SessionStore
  readonly lists: Pick<Lists, 'read'>
  /** Whether this person may end sessions of that grant though it isn't theirs: admins, and its approvers. */
  mayEnd(login: Login, grantId: string): Promise<boolean>
}

/** Listing and ending sessions. Users see and end their own; auditors see all; approvers end what they may approve. */
export const sessionRoutes =
  (deps: SessionRoutesDeps): FastifyPluginAsync =>
  async (app) => {
    route(app, 'GET /api/v1/sessions', async ({ login, query: { mine, before, ...query } }) => {
      const asked = { ...(before === undefined ? {} : { cursor: before }), ...query, ...(mine ? { who: 'me' } : {}) }
      return toAnswer('sessions', await deps.lists.read(login, asked, (found) => listVisible(deps, login, found)))
    })
    route(app, 'POST /api/v1/sessions/:id/kill', async ({ login, params: { id }, body: { reason = '' } }) => {
      const row = await deps.store.find(id)
      if (!row || !(await maySee(deps, login, row))) throw new BrokerError('NOT_FOUND', `no session ${id}`)
      if (!(await mayEnd(deps, login, row)))
        throw new BrokerError('ROLE_REQUIRED', 'only its owner, an approver or an admin may end this session')
      await deps.sessions.kill(id, login.principal, reason)
    })
  }

/** What this person may see. */
async function listVisible(
  { store, mayEnd: approves }: SessionRoutesDeps,
  login: Login,
  query: SessionQuery,
): Promise<ListPage<SessionView>> {
  // Many sessions are of few grants.
  const known = new Map<string, Promise<boolean>>()
  const approvesOnce = (_: Login, grantId: string) => {
    const found = known.get(grantId) ?? approves(login, grantId)
    known.set(grantId, found)
    return found
  }
  const seesAll = isSelf(login, query) || login.roles.includes('auditor') || login.roles.includes('admin')
  return await readPage<SessionRow, SessionView>(
    {
      read: (cursor, limit) => store.list(query, cursor, limit),
      cursorOf: ({ id }) => id,
      choose: async (row) =>
        seesAll || (await maySee({ mayEnd: approvesOnce }, login, row)) ? () => present(row) : undefined,
      ...(seesAll ? { count: (most) => store.count(query, most) } : {}),
    },
    query,
  )
}

function isSelf({ principal }: Login, { principalId }: SessionQuery): boolean {
  return principalId === principal.id
}

type MayEnd = Pick<SessionRoutesDeps, 'mayEnd'>

async function maySee(deps: MayEnd, login: Login, row: SessionRow): Promise<boolean> {
  return login.roles.includes('auditor') || (await mayEnd(deps, login, row))
}

async function mayEnd(deps: MayEnd, login: Login, row: SessionRow): Promise<boolean> {
  return (
    row.principal_id === login.principal.id || login.roles.includes('admin') || (await deps.mayEnd(login, row.grant_id))
  )
}

function present(row: SessionRow): SessionView {
  return {
    id: row.id,
    principalId: row.principal_id,
    principal: row.principal_name,
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
