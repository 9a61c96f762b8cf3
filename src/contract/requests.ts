import { Type } from 'typebox'
import { Duration, GrantView, Reason, Ticket } from './grants.ts'
import { endedToo, listOf, paging, resourceFilter, timeFilter, whoFilter } from './lists.ts'
import { LevelName, Meaning, Named, ResourceReference } from './references.ts'
import type { RouteContract } from './route-contract.ts'
import { count, flag, idOf, instant, list, mapOf, nullable, object, oneOf, type Shape, text } from './schema.ts'

const RequestId = idOf('req')
const params = object({ id: RequestId })

/** All that a person may set; everything else about a request is derived. */
const NewRequest = object({
  resource: Type.Optional(ResourceReference),
  level: Type.Optional(LevelName),
  durationMs: Type.Optional(Duration),
  reason: Type.Optional(Reason),
  ticket: Type.Optional(Ticket),
  onBehalfOf: Type.Optional(
    Type.String({ minLength: 1, maxLength: 256, description: 'Principal who gets the grant: id, e-mail or name' }),
  ),
  sameAs: Type.Optional(RequestId),
})

const Decision = object({
  digest: Type.String({ pattern: '^[0-9a-f]{64}$', description: 'Digest of the request that you saw' }),
  comment: Type.Optional(Type.String({ maxLength: 1000 })),
})

const RequestView = object({
  id: text(),
  requester: Named,
  beneficiary: Named,
  resourceId: text(),
  kind: text(),
  targetId: nullable(text('What the target is, by its kind; null: asked for before that was kept')),
  level: text(),
  loginName: nullable(text('What stands for `{login}` in the level')),
  sessionTags: nullable(mapOf(text(), 'Tags that its sessions will carry besides the broker’s own; null: none')),
  durationMs: count(),
  reason: nullable(text()),
  ticket: nullable(text()),
  rule: text(),
  digest: text('A decision must carry it'),
  limits: list(text(), 'What an approver should know: what the broker cannot do there'),
  status: oneOf(['pending', 'granted', 'denied', 'cancelled', 'expired', 'refused']),
  statusReason: nullable(text()),
  extendsGrantId: nullable(text('The grant that it extends; null: it is for a new one')),
  createdAt: instant(),
  expiresAt: instant('When it expires without a decision'),
  endedAt: nullable(instant()),
  stages: list(
    object({ anyOf: list(text()), count: count(), approvals: count() }),
    'In order, each with the number of approvals',
  ),
  stage: nullable(count('0, 1 …; null when nothing is to be decided')),
  decisions: list(
    object({
      by: Named,
      stage: count(),
      verdict: oneOf(['approve', 'deny']),
      comment: nullable(text()),
      at: instant(),
      counts: flag('False when the request has changed since'),
    }),
  ),
  canDecide: flag('Whether the caller may decide it now'),
  whyNot: nullable(text()),
  grantId: nullable(text()),
})
export type RequestView = Shape<typeof RequestView>

const OneRequest = object({ request: RequestView })

const RequestContext = object(
  {
    tags: mapOf(text(), 'Of the resource now'),
    means: list(Meaning, 'What the level gives on the resource now'),
    grants30d: count('Grants of the beneficiary on the resource that began in the last 30 days'),
    denied30d: count('Their requests for it that were denied in the last 30 days'),
    openSessions: count('Their sessions on it that are open'),
  },
  'What a decision should be made with, beside the request',
)
export type RequestContext = Shape<typeof RequestContext>

const LikeUse = object(
  {
    grants: list(
      object({
        grantId: text(),
        startsAt: instant(),
        endsAt: instant('When it ended, or will'),
        sessions: count('That reached the target'),
        usedMs: count('How long some session was open, in milliseconds'),
        requests: count('Statements, or requests to a cluster'),
        reads: count('Of them, those that read'),
        writes: count('Of them, those that changed something, or may have'),
        rows: count('Returned by statements'),
        isWhole: flag('False: there is more than was counted'),
      }),
      'The last five of the beneficiary for the same level on the resource, newest first',
    ),
    smaller: nullable(
      text(
        'A level that only reads and that the rules give the beneficiary too, where none of these grants changed anything',
      ),
    ),
  },
  'What like grants were used for',
)
export type LikeUse = Shape<typeof LikeUse>

/** The outcome of a request, an extension or a decision. */
const Outcome = object({ request: RequestView, grant: nullable(GrantView) })
export type Outcome = Shape<typeof Outcome>

const decide = {
  access: 'user',
  interactive: true,
  params,
  body: Decision,
  answer: { 200: Outcome },
} as const

export const requestRoutes = {
  'GET /api/v1/requests': {
    summary: 'Requests of the caller and requests that the caller may decide, newest first',
    access: 'user',
    scope: 'read',
    query: object({
      box: Type.Optional(
        Type.Unsafe<'decide' | 'mine' | 'decided'>({
          type: 'string',
          enum: ['decide', 'mine', 'decided'],
          description:
            'decide: that wait for the caller’s decision; mine: that the caller asked for or would get, ended too with `all`; decided: that the caller has decided, whatever became of them',
        }),
      ),
      ...endedToo,
      ...whoFilter,
      ...resourceFilter,
      ...timeFilter,
      ...paging,
    }),
    answer: { 200: listOf('requests', RequestView) },
  },
  'POST /api/v1/requests': {
    summary: 'Requests access; a rule without stages grants it at once',
    access: 'user',
    scope: 'request',
    body: NewRequest,
    answer: { 201: Outcome },
  },
  'GET /api/v1/requests/:id': {
    summary: 'One request in its current state',
    access: 'user',
    scope: 'read',
    params,
    answer: { 200: object({ request: RequestView, context: RequestContext }) },
  },
  'GET /api/v1/requests/:id/use': {
    summary: 'What like grants were used for, for those who may decide a request',
    access: 'user',
    scope: 'read',
    params,
    answer: { 200: LikeUse },
  },
  'POST /api/v1/requests/:id/approve': { summary: 'Approves the current stage of a request', ...decide },
  'POST /api/v1/requests/:id/deny': { summary: 'Denies a request', ...decide },
  'POST /api/v1/requests/:id/cancel': {
    summary: "Cancels one of the caller's requests",
    access: 'user',
    scope: 'request',
    params,
    body: object({}),
    answer: { 200: OneRequest },
  },
  'POST /api/v1/grants/:id/extend': {
    summary: "Requests more time on one of the caller's grants",
    access: 'user',
    scope: 'request',
    params: object({ id: idOf('grt') }),
    body: object({ durationMs: Duration, reason: Type.Optional(Reason), ticket: Type.Optional(Ticket) }),
    answer: { 201: Outcome },
  },
} as const satisfies Record<string, RouteContract>
