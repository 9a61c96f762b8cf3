import { type TUnsafe, Type } from 'typebox'
import { auditTypes } from './audit-types.ts'
import { listOf, paging, resourceFilter, timeFilter, whoFilter } from './lists.ts'
import { lines, type RouteContract } from './route-contract.ts'
import { count, flag, instant, list, mapOf, nullable, object, oneOf, type Shape, text } from './schema.ts'

/** What a field of an event may hold. Lists come first: the serializer would take one for a string. */
const AuditValue: TUnsafe<string | number | boolean | null | string[]> = Type.Unsafe({
  type: ['array', 'string', 'number', 'boolean', 'null'],
  items: Type.String(),
})

/** One fact, as it is in the chain. */
export const AuditRecord = object({
  seq: count('1, 2, 3 … without a gap'),
  at: instant(),
  type: oneOf(auditTypes),
  actor: text('Principal id, or system'),
  fields: mapOf(AuditValue, 'Ids, codes, digests and counts'),
  text: Type.Optional(mapOf(text(), 'Names, addresses and reasons, beside the chain')),
  hash: text('Hex SHA-256'),
})
export type AuditRecord = Shape<typeof AuditRecord>

const Place: TUnsafe<number | string> = Type.Unsafe({
  type: ['number', 'string'],
  description: 'Which one: seq of the event, number of the checkpoint, line of the file, id of the session or grant',
})

const AuditReport = object({
  ok: flag(),
  summary: text('The verdict in words, and up to which event it holds'),
  installation: text(),
  events: count(),
  head: object({ seq: count(), hash: text() }),
  checkpoints: count(),
  erasedTexts: count('Erased texts; their events still verify'),
  recordings: nullable(count('Recordings compared; null when not requested')),
  signed: nullable(
    object(
      { seq: count(), at: instant() },
      "Newest event that the daemon's signature covers; proves nothing against a holder of the signing key",
    ),
  ),
  anchored: nullable(
    object(
      { seq: count(), at: instant(), anchor: text() },
      'Newest event covered by an anchored checkpoint: a rewrite of the log up to here would be detected',
    ),
  ),
  problems: list(
    object({
      where: text('What holds it: event, text, head, checkpoint, anchor, recording, export, grant, token …'),
      at: Place,
      what: text('What differs, in a sentence without names of people'),
    }),
    'The first hundred',
  ),
  problemCount: count(),
  notes: list(text()),
})
/** What `audit verify` found. */
export type AuditReport = Shape<typeof AuditReport>

/** A line of an export: an event, a checkpoint or a text. Open, because `audit verify --export` checks the bytes. */
export const ExportedLine: TUnsafe<Record<string, unknown>> = Type.Unsafe({ type: 'object' })

const reading = { access: 'auditor', scope: 'audit' } as const

const eventFilter = {
  type: Type.Optional(Type.Array(oneOf(auditTypes), { maxItems: 50, description: 'Only these types' })),
  actor: Type.Optional(
    Type.String({ maxLength: 320, description: 'Who did it: `system`, or a principal by id, e-mail or name' }),
  ),
  subject: Type.Optional(
    Type.String({
      maxLength: 320,
      description: 'Any value in a field: a grant, session or request id, or a principal or resource by id or name',
    }),
  ),
  ...whoFilter,
  ...resourceFilter,
  ...timeFilter,
}

/** Reading the audit log, which is itself audited. */
export const auditRoutes = {
  'GET /api/v1/audit/events': {
    summary: 'Events that match, newest first',
    ...reading,
    query: object({ ...eventFilter, ...paging }),
    answer: { 200: listOf('events', AuditRecord) },
  },
  'GET /api/v1/audit/events/file': {
    summary: 'All events that match, newest first, as a file to keep: CSV with fields and texts as JSON, or JSON lines',
    ...reading,
    query: object({ ...eventFilter, format: oneOf(['csv', 'jsonl']) }),
    answer: { 200: 'file' },
  },
  'GET /api/v1/audit/tail': {
    summary: 'Events as they are written, oldest first',
    ...reading,
    query: object({
      after: Type.Optional(
        Type.Integer({ minimum: 0, description: 'Events after this seq; omitted: those still to come' }),
      ),
    }),
    answer: { 200: lines(AuditRecord) },
  },
  'GET /api/v1/audit/export': {
    summary: 'The whole log, for archives and for `sallyport audit verify --export`',
    ...reading,
    answer: { 200: lines(ExportedLine) },
  },
  'GET /api/v1/audit/verify': {
    summary: 'Checks the log, its anchors, the recordings and the signatures of rows',
    ...reading,
    answer: { 200: AuditReport },
  },
  'GET /api/v1/audit/proof': {
    summary:
      'What the last check of the log by this daemon found: one is made when this is first asked for, and each time it is asked to verify',
    ...reading,
    answer: {
      200: object({
        checkedAt: nullable(instant('null: the first one is not over')),
        ok: nullable(flag()),
        summary: nullable(text('The verdict in words')),
        head: count('seq of the newest event now'),
        signedSeq: nullable(count('Newest event under a signature of the daemon')),
        anchoredSeq: nullable(count('Newest event that a copy outside would give away a rewrite of')),
        anchoredAt: nullable(instant()),
        problems: count(),
      }),
    },
  },
  'GET /api/v1/audit/public-key': {
    summary: 'PEM of the key that signs checkpoints',
    ...reading,
    answer: { 200: 'pem' },
  },
} as const satisfies Record<string, RouteContract>
