import type { FastifyReply } from 'fastify'
import { BrokerError } from '../../../proxy/session.ts'
import type { AuditLog } from '../../audit/audit.ts'
import { searchLines } from '../../contract/recordings.ts'
import type { Input } from '../../contract/routes.ts'
import type { Login } from '../../identity/principal.ts'
import type { Recordings } from '../../recordings/recordings.ts'
import { type Found, searchRecordings } from '../../recordings/search/search-recordings.ts'
import type { SessionRow, SessionStore } from '../../sessions/session-store.ts'
import { type Lists, nothingOf } from '../lists.ts'

export interface RecordingSearchDeps {
  readonly recordings: Pick<Recordings, 'bytes'>
  readonly audit: Pick<AuditLog, 'append'>
  readonly store: Pick<SessionStore, 'list' | 'find' | 'count'>
  readonly lists: Pick<Lists, 'who' | 'resource'>
}

type Ask = Input<'POST /api/v1/recordings/search', 'body'>

/** Of one person, at a time. */
const mostAtOnce = 2

/**
 * Searches recordings, for those who may read them all. That it was done is in the log before anything is read, and each recording of
 * which something is shown before that is sent.
 */
export function recordingSearch(deps: RecordingSearchDeps) {
  const running = new Map<string, number>()
  /** @throws BrokerError RATE_LIMITED */
  const begin = (id: string, reply: FastifyReply): void => {
    const before = running.get(id) ?? 0
    if (before >= mostAtOnce)
      throw new BrokerError('RATE_LIMITED', `${mostAtOnce} of your searches are still running`, {
        hint: 'wait for one of them to end, or stop it',
      })
    running.set(id, before + 1)
    reply.raw.once('close', () => {
      const left = (running.get(id) ?? 1) - 1
      if (left > 0) running.set(id, left)
      else running.delete(id)
    })
  }
  return async (login: Login, ask: Ask, reply: FastifyReply): Promise<AsyncGenerator<string>> => {
    const found = await search(deps, login, ask)
    begin(login.principal.id, reply)
    return lines(deps, login, found, {
      match: reply.compileSerializationSchema({ ...searchLines.match }),
      end: reply.compileSerializationSchema({ ...searchLines.end }),
    })
  }
}

type Searching = ReturnType<typeof searchRecordings<SessionRow>>

/** @throws BrokerError NOT_FOUND for a name that nobody has, INVALID_INPUT */
async function search(deps: RecordingSearchDeps, login: Login, ask: Ask): Promise<Searching> {
  const { recordings, audit, store, lists } = deps
  const { text, limit = 100, cursor, who, resource, since, until } = ask
  const principal = who === undefined ? undefined : await lists.who(login, who)
  const target = resource === undefined ? undefined : lists.resource(login, resource)
  const query = {
    ...(principal ? { principalId: principal.id } : {}),
    ...(target ? { resourceId: target.id } : {}),
    ...(since === undefined ? {} : { since }),
    ...(until === undefined ? {} : { until }),
  }
  const unknown = principal?.isKnown === false ? who : target?.isKnown === false ? resource : undefined
  if (unknown !== undefined && (await store.count(query, 1)) === 0) throw nothingOf(unknown)
  const parts = {
    sessions: (after: string | undefined, most: number) => store.list(query, after, most),
    find: store.find,
    bytes: recordings.bytes,
  }
  const found = searchRecordings(parts, { text, limit, ...(cursor === undefined ? {} : { cursor }) })
  await audit.append({
    type: 'recording.searched',
    actor: login.principal.id,
    fields: { ...query, login: login.id },
    text: { search: text },
  })
  return found
}

async function* lines(
  { audit }: RecordingSearchDeps,
  login: Login,
  found: Searching,
  toText: { match(line: object): string; end(line: object): string },
): AsyncGenerator<string> {
  let shown = ''
  for await (const line of found) {
    if (line.end) {
      yield `${toText.end(line.end)}\n`
      return
    }
    const { session, entry } = line
    if (session.id !== shown) {
      const fields = { session: session.id, grant: session.grant_id, login: login.id, how: 'search' }
      await audit.append({ type: 'recording.read', actor: login.principal.id, fields })
      shown = session.id
    }
    yield `${toText.match({ ...nameOf(session), ...entry })}\n`
  }
}

function nameOf({ id, principal_id, principal_name, resource_id, level }: Found<SessionRow>['session']) {
  return { sessionId: id, principalId: principal_id, principal: principal_name, resourceId: resource_id, level }
}
