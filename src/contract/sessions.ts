import { Type } from 'typebox'
import { listOf, paging, resourceFilter, sessionFilter, timeFilter, whoFilter } from './lists.ts'
import { Named } from './references.ts'
import type { RouteContract } from './route-contract.ts'
import { count, idOf, instant, mapOf, nullable, object, type Shape, text } from './schema.ts'

const SessionView = object({
  id: text(),
  principalId: text(),
  principal: text('Name'),
  who: Type.Optional(Named),
  grantId: text(),
  requestId: text(),
  resourceId: text(),
  kind: text(),
  level: text(),
  via: text('How the client connected: listener, websocket or api'),
  address: text('Of the client'),
  tool: nullable(text('Name that the client gave itself')),
  detail: mapOf(text(), 'Details of the target from the engine, e.g. the database user'),
  openedAt: instant(),
  startedAt: nullable(instant()),
  endsAt: instant(),
  endedAt: nullable(instant()),
  endReason: nullable(text()),
  bytesUp: count(),
  bytesDown: count(),
  recording: object({ digest: nullable(text()), entries: count() }),
})
export type SessionView = Shape<typeof SessionView>

/** Users see and end their own; auditors see all; approvers end what they may approve. */
export const sessionRoutes = {
  'GET /api/v1/sessions': {
    summary: 'Sessions that the caller may see, newest first',
    access: 'user',
    scope: 'read',
    query: object({
      mine: Type.Optional(Type.Boolean({ description: 'Only your own' })),
      ...sessionFilter,
      ...whoFilter,
      ...resourceFilter,
      ...timeFilter,
      ...paging,
    }),
    answer: { 200: listOf('sessions', SessionView) },
  },
  'GET /api/v1/sessions/:id': {
    summary: 'One session, as the list of sessions has it',
    access: 'user',
    scope: 'read',
    params: object({ id: idOf('ses') }),
    answer: { 200: object({ session: SessionView }) },
  },
  'POST /api/v1/sessions/:id/kill': {
    summary: 'Ends a session now',
    access: 'user',
    scope: 'admin',
    params: object({ id: idOf('ses') }),
    body: object({ reason: Type.Optional(Type.String({ maxLength: 500 })) }),
    answer: { 204: 'nothing' },
  },
  'GET /api/v1/sessions/:id/watch': {
    summary:
      'A terminal as it is recorded, for auditors and the approvers of its grant: binary messages are its bytes, text messages JSON: ack from who watches; resize, notice, skipped, exit and error to them',
    access: 'user',
    scope: 'audit',
    hidden: true,
    params: object({ id: idOf('ses') }),
    answer: { 101: 'websocket' },
  },
} as const satisfies Record<string, RouteContract>
