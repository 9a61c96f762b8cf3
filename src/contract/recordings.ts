import { type TUnsafe, Type } from 'typebox'
import { listOf, paging, resourceFilter, sessionFilter, timeFilter, whoFilter } from './lists.ts'
import { lines, type RouteContract } from './route-contract.ts'
import { count, flag, idOf, instant, list, nullable, object, type Shape, text } from './schema.ts'

const RecordingView = object({
  id: text('Of the session'),
  principalId: text(),
  principal: text('Name'),
  grantId: text(),
  resourceId: text(),
  level: text(),
  openedAt: instant(),
  endedAt: nullable(instant()),
  endReason: nullable(text()),
  entries: count(),
  digest: nullable(text('Hex SHA-256 head of the chain')),
})
export type RecordingView = Shape<typeof RecordingView>

/** The first line of a recording. */
export const RecordingHeader = object({
  session: RecordingView,
  verified: object({ ok: flag(), entries: count(), problem: Type.Optional(text()) }, 'Result of the verification'),
})
export type RecordingHeader = Shape<typeof RecordingHeader>

/** Each line after it: an entry as it was recorded, of any kind. Open, because a reader checks the recorded bytes. */
export const RecordedEntry: TUnsafe<Record<string, unknown>> = Type.Unsafe({ type: 'object' })
export type RecordedEntry = Shape<typeof RecordedEntry>

const RecordingMatch = object({
  sessionId: idOf('ses'),
  principalId: text(),
  principal: text('Name'),
  resourceId: text(),
  level: text(),
  at: nullable(instant('When the statement ended, or began')),
  type: text('query, execute …; damaged for a line that is not JSON'),
  request: nullable(count('Number of the request within its session')),
  isRunning: flag('No end of it is on record so far'),
  sql: nullable(text('The statement, or the part of it around the text; of a request to a cluster, verb and path')),
  found: list(
    object({ member: text('Of the entry, such as sql or values[1]'), text: text('What is around the text') }),
    'Where the entry has the text, at most ten places',
  ),
})
/** An entry of a recording that has the text. */
export type RecordingMatch = Shape<typeof RecordingMatch>

const RecordingSearchEnd = object({
  next: nullable(text('`cursor` of the next page; null when everything has been searched')),
  recordings: count('How many were searched'),
  bytes: count(),
  unread: list(object({ sessionId: text(), reason: text() }), 'Recordings that could not be read, at most a hundred'),
  unreadCount: count(),
})
/** The last line of a search. */
export type RecordingSearchEnd = Shape<typeof RecordingSearchEnd>

/** Each line but the last, and the last. */
export const searchLines = { match: RecordingMatch, end: RecordingSearchEnd } as const

function castSecond(description: string) {
  return Type.Number({ minimum: 0, maximum: 1e9, description: `${description}; seconds` })
}

/** Recorded sessions. Reading a recording needs its own permission, and is audited before the first byte is sent. */
export const recordingRoutes = {
  'GET /api/v1/recordings': {
    summary: 'Recordings, newest first',
    access: 'auditor',
    scope: 'audit',
    query: object({
      principal: Type.Optional(Type.String({ maxLength: 64, description: 'Only sessions of this principal id' })),
      ...sessionFilter,
      ...whoFilter,
      ...resourceFilter,
      ...timeFilter,
      ...paging,
    }),
    answer: { 200: listOf('recordings', RecordingView) },
  },
  'POST /api/v1/recordings/search': {
    summary: 'Searches recordings, newest first, for a text: each entry that has it, then how far the search came',
    access: 'auditor',
    scope: 'audit',
    // In the body: what is searched for may be a secret, or a person's, and addresses are logged by others.
    body: object({
      text: Type.String({ minLength: 1, maxLength: 200, description: 'Plain text, in upper or lower case' }),
      ...whoFilter,
      ...resourceFilter,
      ...timeFilter,
      ...paging,
    }),
    answer: { 200: lines(RecordingMatch, RecordingSearchEnd) },
  },
  'GET /api/v1/recordings/:sessionId': {
    summary: 'One recording: its session with the result of the verification, then each entry',
    access: 'auditor',
    scope: 'audit',
    params: object({ sessionId: idOf('ses') }),
    answer: { 200: lines(RecordingHeader, RecordedEntry) },
  },
  'GET /api/v1/recordings/:sessionId/cast': {
    summary:
      'The recording of a terminal, or the part of it between two moments, as an asciicast of version 2, control sequences and all; the header Recording-Verified is true or false of the whole',
    access: 'auditor',
    scope: 'audit',
    params: object({ sessionId: idOf('ses') }),
    query: object({
      from: Type.Optional(
        castSecond(
          'Of the first event, since the beginning. The header then has the size of the terminal at that moment',
        ),
      ),
      to: Type.Optional(
        castSecond('That of the first event which is left out. Parts that follow one another make the whole'),
      ),
    }),
    answer: { 200: 'asciicast' },
  },
} as const satisfies Record<string, RouteContract>
