import type { FastifyPluginAsync } from 'fastify'
import { BrokerError } from '../../../proxy/session.ts'
import type { Input } from '../../contract/routes.ts'
import type { SessionView } from '../../contract/sessions.ts'
import type { Login } from '../../identity/principal.ts'
import { route } from '../../identity/route.ts'
import type { SessionRow, SessionStore } from '../../sessions/session-store.ts'
import type { Sessions } from '../../sessions/sessions.ts'

export interface SessionRoutesDeps {
  readonly sessions: Pick<Sessions, 'kill'>
  readonly store: SessionStore
  /** Whether this person may end sessions of that grant though it isn't theirs: admins, and its approvers. */
  mayEnd(login: Login, grantId: string): Promise<boolean>
}

/** Listing and ending sessions. Users see and end their own; auditors see all; approvers end what they may approve. */
export const sessionRoutes =
  (deps: SessionRoutesDeps): FastifyPluginAsync =>
  async (app) => {
    route(app, 'GET /api/v1/sessions', async ({ login, query }) => {
      const page = await listVisible(deps, login, query)
      return { sessions: page.rows.map(present), next: page.next }
    })
    route(app, 'POST /api/v1/sessions/:id/kill', async ({ login, params: { id }, body: { reason = '' } }) => {
      const row = await deps.store.find(id)
      if (!row || !(await maySee(deps, login, row))) throw new BrokerError('NOT_FOUND', `no session ${id}`)
      if (!(await mayEnd(deps, login, row)))
        throw new BrokerError('ROLE_REQUIRED', 'only its owner, an approver or an admin may end this session')
      await deps.sessions.kill(id, login.principal, reason)
    })
  }

const pageSize = 200
const mostPages = 20

/** Fills a page with what this person may see, from a bounded number of rows. */
async function listVisible(
  deps: SessionRoutesDeps,
  login: Login,
  query: Input<'GET /api/v1/sessions', 'query'>,
): Promise<{ rows: SessionRow[]; next: string | null }> {
  const limit = query.limit ?? 100
  const rows: SessionRow[] = []
  let before = query.before
  for (let page = 0; page < mostPages; page++) {
    const found = await deps.store.list({
      limit: pageSize,
      ...(query.open ? { open: true } : {}),
      ...(before === undefined ? {} : { before }),
      ...(query.mine ? { principalId: login.principal.id } : {}),
    })
    for (const row of found) {
      before = row.id
      if (await maySee(deps, login, row)) rows.push(row)
      if (rows.length === limit) return { rows, next: before }
    }
    if (found.length < pageSize) return { rows, next: null }
  }
  return { rows, next: before ?? null }
}

async function maySee(deps: SessionRoutesDeps, login: Login, row: SessionRow): Promise<boolean> {
  return login.roles.includes('auditor') || (await mayEnd(deps, login, row))
}

async function mayEnd(deps: SessionRoutesDeps, login: Login, row: SessionRow): Promise<boolean> {
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
    detail: JSON.parse(row.detail) as Record<string, string>,
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
