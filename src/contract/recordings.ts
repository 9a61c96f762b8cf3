import { type TUnsafe, Type } from 'typebox'
import { listOf, paging, resourceFilter, sessionFilter, timeFilter, whoFilter } from './lists.ts'
import { lines, type RouteContract } from './route-contract.ts'
import { count, flag, idOf, instant, nullable, object, type Shape, text } from './schema.ts'

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
  'GET /api/v1/recordings/:sessionId': {
    summary: 'One recording: its session with the result of the verification, then each entry',
    access: 'auditor',
    scope: 'audit',
    params: object({ sessionId: idOf('ses') }),
    answer: { 200: lines(RecordingHeader, RecordedEntry) },
  },
} as const satisfies Record<string, RouteContract>
