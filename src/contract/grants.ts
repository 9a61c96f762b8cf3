import { Type } from 'typebox'
import { endedToo, listOf, paging, resourceFilter, timeFilter, whoFilter } from './lists.ts'
import { Named, ResourceReference } from './references.ts'
import type { RouteContract } from './route-contract.ts'
import { count, flag, idOf, instant, list, mapOf, nullable, object, oneOf, type Shape, text } from './schema.ts'

export const Duration = Type.Integer({ minimum: 1000, maximum: 31_536_000_000, description: 'Milliseconds' })
export const Reason = Type.String({ maxLength: 1000, description: 'Why, for approvers and the audit log' })
export const Ticket = Type.String({ maxLength: 128, description: 'Ticket, if the rule requires one' })

const params = object({ id: idOf('grt') })

export const GrantView = object({
  id: text(),
  requestId: text(),
  principal: Named,
  resourceId: text(),
  kind: text(),
  targetId: nullable(
    text('What the target is, by its kind; another one under the name of the resource ends the grant'),
  ),
  level: text(),
  loginName: nullable(text('What stands for `{login}` in the level; it never changes')),
  sessionTags: nullable(
    mapOf(text(), 'Tags that its sessions carry besides the broker’s own; they never change. Null: none'),
  ),
  rule: text(),
  startsAt: instant(),
  endsAt: instant(),
  state: oneOf(
    ['active', 'expired', 'revoked', 'returned', 'tampered'],
    'tampered: not written by the broker; it gives no access',
  ),
  endedAt: nullable(instant()),
  endReason: nullable(text()),
  endText: nullable(text('Shown to its holder')),
  outlivesUntil: nullable(
    instant('Until when sessions that AWS holds may go on, whatever happens to the grant; null: they end with it'),
  ),
  push: nullable(
    object(
      {
        state: oneOf(
          ['granting', 'granted', 'failed', 'removing'],
          'removing: the grant is over, and AWS has it still',
        ),
        reason: nullable(text('Why it is not as it should be, in the words of AWS')),
        portal: nullable(text('Where its holder uses it')),
        region: text('Home of Identity Center'),
      },
      'How it stands in AWS, where AWS itself holds it; null: it does not',
    ),
  ),
})
export type GrantView = Shape<typeof GrantView>

export const useMatches = ['key', 'chain', 'session', 'tags', 'source-identity'] as const

const AwsUsage = object({
  resource: text('Full id'),
  since: instant(),
  until: instant(),
  isWhole: flag('False: there is more than was read'),
  uses: list(
    object({
      at: instant(),
      endedAt: nullable(instant('Of a session of Session Manager; null: it runs, or AWS does not say')),
      region: text(),
      by: nullable(text('Who was given keys, or started the session: an ARN or a service; null: AWS does not say')),
      sessionName: nullable(text()),
      sourceIdentity: nullable(text()),
      grantId: nullable(text('null: the broker did not give it')),
      sessionId: nullable(text()),
      match: nullable(
        oneOf(
          useMatches,
          'How the grant is known. key: the broker gave these keys out; chain: they were taken with keys that it gave out; session: one that it opened; tags: its own role named the grant; source-identity: its own role named the person, who had this one grant then. Null: there is none',
        ),
      ),
    }),
    'Newest first',
  ),
  unused: list(
    object({
      grantId: text(),
      principal: Named,
      level: text(),
      startsAt: instant(),
      endsAt: instant('When it ended, or will'),
      sessions: count('Through the broker, that reached the target'),
    }),
    'Grants of the resource that were valid in this time, of which AWS shows no use; those that began less than 15 minutes before its end are left out',
  ),
})
export type AwsUsage = Shape<typeof AwsUsage>
export type AwsUse = AwsUsage['uses'][number]

const ServiceUsage = object({
  resource: text('Full id'),
  role: nullable(
    object(
      {
        at: nullable(instant('Null: not in the time that AWS keeps track of, which is 400 days')),
        region: nullable(text()),
      },
      'When it was used last, by anyone. Null: the broker may ask that only of roles that are tagged `sallyport:managed=true`',
    ),
  ),
  services: list(
    object({
      service: text('As in actions: `s3`'),
      name: text(),
      lastUsedAt: nullable(instant('Null: not in the time that AWS keeps track of, which is 400 days')),
      region: nullable(text()),
    }),
    'That the role may use, the latest use first',
  ),
})
export type ServiceUsage = Shape<typeof ServiceUsage>

const OneGrant = object({ grant: GrantView })

const GrantUsage = object({
  grant: GrantView,
  sessions: count('That reached their target'),
  open: count('How many of them are open now'),
  firstUsedAt: nullable(instant('Start of the first session; null: it was never used')),
  lastUsedAt: nullable(instant('End of the session that ended last, or a later start of one that is open')),
})
export type GrantUsage = Shape<typeof GrantUsage>

/** Of grants that are there. What gives one is in requests.ts. */
export const grantRoutes = {
  'GET /api/v1/grants': {
    summary:
      'Active grants: those of the caller, and those that the caller may revoke; all of them for admins and auditors',
    access: 'user',
    scope: 'read',
    query: object({ ...endedToo, ...whoFilter, ...resourceFilter, ...timeFilter, ...paging }),
    answer: { 200: listOf('grants', GrantView) },
  },
  'GET /api/v1/grants/:id': {
    summary: 'One grant, as the list of grants has it, whatever became of it',
    access: 'user',
    scope: 'read',
    params,
    answer: { 200: OneGrant },
  },
  'GET /api/v1/usage': {
    summary: 'How active grants were used, newest first; the same grants as in the list of grants',
    access: 'user',
    scope: 'read',
    query: object({
      used: Type.Optional(
        Type.Boolean({ description: 'Only grants that were used, or, if false, those that never were' }),
      ),
      ...endedToo,
      ...whoFilter,
      ...resourceFilter,
      ...timeFilter,
      ...paging,
    }),
    answer: { 200: listOf('usage', GrantUsage) },
  },
  'POST /api/v1/grants/:id/revoke': {
    summary: 'Revokes a grant now; its sessions are cut within a second',
    access: 'user',
    scope: 'admin',
    params,
    body: object({ reason: Type.Optional(Type.String({ maxLength: 500 })) }),
    answer: { 200: OneGrant },
  },
  'POST /api/v1/grants/:id/return': {
    summary: "Returns one of the caller's grants early",
    access: 'user',
    scope: 'request',
    params,
    body: object({}),
    answer: { 200: OneGrant },
  },
  'GET /api/v1/usage/aws': {
    summary:
      'Who was given keys of a role in AWS, or started sessions on an instance, with the grant or without one, as CloudTrail and Session Manager have it; and grants without a use',
    access: 'auditor',
    scope: 'audit',
    query: object({ resource: ResourceReference, since: timeFilter.since, until: timeFilter.until }),
    answer: { 200: AwsUsage },
  },
  'GET /api/v1/usage/services': {
    summary: 'Which services a role was used for, and when last, as IAM has it some hours later',
    access: 'auditor',
    scope: 'audit',
    query: object({ resource: ResourceReference }),
    answer: { 200: ServiceUsage },
  },
} as const satisfies Record<string, RouteContract>
