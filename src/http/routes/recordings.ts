import { Readable } from 'node:stream'
import type { FastifyPluginAsync } from 'fastify'
import { BrokerError } from '../../../proxy/session.ts'
import type { AuditLog } from '../../audit/audit.ts'
import { RecordingHeader, type RecordingView } from '../../contract/recordings.ts'
import type { Login } from '../../identity/principal.ts'
import { route } from '../../identity/route.ts'
import { toAsciicast } from '../../recordings/asciicast.ts'
import type { Recordings } from '../../recordings/recordings.ts'
import type { SessionQuery, SessionRow, SessionStore } from '../../sessions/session-store.ts'
import { type ListSource, readPage, toAnswer } from '../../store/lists.ts'
import type { Lists } from '../lists.ts'
import { sendLines } from '../ndjson.ts'
import { recordingSearch } from './recording-search.ts'

export interface RecordingRoutesDeps {
  readonly recordings: Pick<Recordings, 'read' | 'verify' | 'bytes'>
  readonly audit: Pick<AuditLog, 'append'>
  readonly store: SessionStore
  readonly lists: Pick<Lists, 'read' | 'who' | 'resource'>
}

/** Recorded sessions. Reading a recording needs its own permission, and is audited before the first byte is sent. */
export const recordingRoutes =
  ({ recordings, audit, store, lists }: RecordingRoutesDeps): FastifyPluginAsync =>
  async (app) => {
    const search = recordingSearch({ recordings, audit, store, lists })
    route(app, 'GET /api/v1/recordings', async ({ login, query: { principal, before, ...query } }) => {
      const asked = {
        ...(principal === undefined ? {} : { who: principal }),
        ...(before === undefined ? {} : { cursor: before }),
        ...query,
      }
      return toAnswer(
        'recordings',
        await lists.read(login, asked, (found) => readPage(recordingsOf(store, found), found)),
      )
    })
    route(app, 'POST /api/v1/recordings/search', async ({ login, body, reply }) =>
      sendLines(reply, await search(login, body, reply)),
    )
    const noteRead = async (login: Login, sessionId: string, how = {}): Promise<SessionRow> => {
      const row = await store.find(sessionId)
      if (!row) throw new BrokerError('NOT_FOUND', `no session ${sessionId}`)
      const fields = { session: sessionId, grant: row.grant_id, login: login.id, ...how }
      await audit.append({ type: 'recording.read', actor: login.principal.id, fields })
      return row
    }
    route(app, 'GET /api/v1/recordings/:sessionId/cast', async ({ login, params: { sessionId }, query, reply }) => {
      if (query.to !== undefined && query.to <= (query.from ?? 0))
        throw new BrokerError('INVALID_INPUT', '`to` is not after `from`')
      const row = await noteRead(login, sessionId, { how: 'cast' })
      const title = `${row.principal_name} on ${row.resource_id}`
      const cast = toAsciicast(recordings.read(sessionId), { id: sessionId, title }, query)
      const first = await cast.next() // a recording that is none of a terminal is refused before anything is sent
      const { ok } = await recordings.verify(sessionId, row.recording_digest)
      return reply
        .type('application/x-asciicast')
        .header('cache-control', 'no-store')
        .header('content-disposition', `attachment; filename="${sessionId}.cast"`)
        .header('recording-verified', String(ok))
        .send(Readable.from(resumed(first, cast)))
    })
    route(app, 'GET /api/v1/recordings/:sessionId', async ({ login, params: { sessionId }, reply }) => {
      const row = await noteRead(login, sessionId)
      const { ok, problem, entries } = await recordings.verify(sessionId, row.recording_digest)
      const verified = { ok, entries, ...(problem === undefined ? {} : { problem }) }
      const toText = reply.compileSerializationSchema({ ...RecordingHeader })
      const header = toText({ session: present(row), verified } satisfies RecordingHeader)
      return sendLines(reply, lines(header, recordings.read(sessionId)))
    })
  }

function recordingsOf(store: SessionStore, query: SessionQuery): ListSource<SessionRow, RecordingView> {
  return {
    read: (cursor, limit) => store.list(query, cursor, limit),
    cursorOf: ({ id }) => id,
    choose: async (row) => () => present(row),
    count: (most) => store.count(query, most),
  }
}

async function* resumed({ value, done }: IteratorResult<string, void>, rest: AsyncGenerator<string>) {
  if (done !== true) yield value
  yield* rest
}

/** First the session with the result of the verification, then each entry. */
async function* lines(header: string, entries: AsyncIterable<{ entry: unknown }>): AsyncGenerator<string> {
  yield `${header}\n`
  for await (const { entry } of entries) yield `${JSON.stringify(entry)}\n`
}

function present(row: SessionRow): RecordingView {
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
