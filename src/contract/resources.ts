import { Type } from 'typebox'
import { listOf, paging, resourceFilter } from './lists.ts'
import { Meaning, ResourceReference } from './references.ts'
import type { RouteContract } from './route-contract.ts'
import { count, flag, instant, list, mapOf, nullable, object, oneOf, type Shape, text } from './schema.ts'

const severities = ['low', 'medium', 'high'] as const

const ResourceView = object(
  {
    id: text(),
    kind: text(),
    account: nullable(text()),
    region: nullable(text()),
    name: text('Last part of the id'),
    tags: mapOf(text()),
    path: nullable(text('Units of the organization that hold it, from the root, by their names; null: not known')),
    protocol: nullable(text('Which clients can connect; null: none through a port')),
    shown: mapOf(text(), 'Details of the target that its kind shows'),
    database: nullable(text('Database for clients that name none; also in `shown`')),
    levels: list(text(), 'Levels that the caller may request'),
    grants: list(
      object({
        id: text(),
        level: text(),
        endsAt: instant(),
        sessionMs: nullable(count('How long one session may last at most; null: as long as the grant')),
      }),
      "The caller's live grants",
    ),
    risk: list(
      object({
        code: text('Of one meaning for all time, e.g. `admin-policy`'),
        severity: oneOf(severities),
        reason: text(),
        fix: nullable(text('What to do about it')),
      }),
      'What was found about it in AWS; only admins and auditors see it, for others it is empty',
    ),
    riskBeneath: nullable(
      object(
        { low: count(), medium: count(), high: count() },
        'Of an account or unit: how many findings of each severity the resources beneath it have; null: it is neither, or the caller may not see it',
      ),
    ),
  },
  'What people may know of a resource: never its endpoint',
)
export type ResourceView = Shape<typeof ResourceView>

const LevelOption = object({
  level: text(),
  mayAsk: flag('Whether a request by the caller would be taken now, once it has what is needed'),
  whyNot: nullable(text()),
  rule: nullable(text('By which it would be judged')),
  maxDurationMs: nullable(count()),
  needs: object({
    reason: flag(),
    ticket: nullable(text('Pattern of the ticket; null: none is needed')),
    loginWithinMs: nullable(count('How recent the sign-in must be')),
    acr: list(text(), 'How the person must have signed in: one of these; empty: any way'),
  }),
  stages: list(object({ anyOf: list(text()), count: count() }), 'Who would have to approve, in order; empty: no one'),
  means: list(Meaning, 'What the level gives on this resource'),
  limits: list(text(), 'What the broker cannot do there'),
})
export type LevelOption = Shape<typeof LevelOption>

export const resourceRoutes = {
  'GET /api/v1/resources/options': {
    summary: 'One resource, and for each of its levels what a request for it needs',
    access: 'user',
    scope: 'read',
    query: object({ resource: ResourceReference }),
    answer: {
      200: object({
        resource: ResourceView,
        levels: list(LevelOption, 'Those that the caller may request come first'),
      }),
    },
  },
  'GET /api/v1/resources': {
    summary:
      'Resources that the caller may request or holds a grant on, by their ids; all of them for admins and auditors',
    access: 'user',
    scope: 'read',
    query: object({
      kind: Type.Optional(Type.String({ maxLength: 64, description: 'Only this kind, e.g. rds-postgres' })),
      q: Type.Optional(
        Type.String({
          minLength: 1,
          maxLength: 200,
          description:
            'Words that must all be in the id, the tags (`env=prod`) or what is shown, in upper or lower case',
        }),
      ),
      account: Type.Optional(Type.String({ pattern: '^[0-9]{12}$', description: 'Only of this account' })),
      held: Type.Optional(Type.Boolean({ description: 'Only those that the caller holds a grant on' })),
      risk: Type.Optional(
        Type.Unsafe<(typeof severities)[number]>({
          type: 'string',
          enum: [...severities],
          description:
            'Only resources with a finding of at least this severity, of their own or beneath; for admins and auditors',
        }),
      ),
      ...resourceFilter,
      ...paging,
    }),
    answer: { 200: listOf('resources', ResourceView) },
  },
} as const satisfies Record<string, RouteContract>
