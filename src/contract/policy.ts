import { Type } from 'typebox'
import { Named, ResourceReference } from './references.ts'
import type { RouteContract } from './route-contract.ts'
import { count, flag, instant, list, mapOf, nullable, object, oneOf, type Shape, text } from './schema.ts'

const ExplainedRule = object({
  name: text(),
  matches: flag(),
  conditions: list(object({ condition: oneOf(['who', 'what', 'level']), ok: flag(), text: text() })),
})
export type ExplainedRule = Shape<typeof ExplainedRule>

const WhyAnswer = object({
  principal: object({ ...Named.properties, groups: list(text()) }),
  resource: text(),
  levels: list(
    object({
      level: text(),
      allowed: flag(),
      rule: nullable(text('The deciding rule; null when none applies')),
      reason: text(),
      rules: list(ExplainedRule, 'Every rule that was considered, in order'),
    }),
    'One for each requested level',
  ),
})
export type WhyAnswer = Shape<typeof WhyAnswer>

const RuleView = object({
  name: text(),
  who: object({ groups: list(text()), emails: list(text()), principals: list(text()) }, 'Anyone in any of these'),
  what: object(
    {
      ids: Type.Optional(list(text())),
      accounts: Type.Optional(list(text())),
      kinds: Type.Optional(list(text())),
      regions: Type.Optional(list(text())),
      names: Type.Optional(list(text())),
      organizational_units: Type.Optional(list(text())),
      account_tags: Type.Optional(mapOf(text())),
      tags: Type.Optional(mapOf(text())),
    },
    'Resources: all members that are given must match',
  ),
  selects: text('The same in words'),
  levels: list(text()),
  maxDurationMs: count(),
  require: object({
    reason: flag(),
    ticket: nullable(text('Pattern')),
    loginWithinMs: nullable(count()),
    acr: list(text(), 'Empty: any'),
  }),
  stages: list(object({ anyOf: list(text()), count: count() }), 'Of the approval, in order; empty: self-service'),
  digest: text('Hex SHA-256 of the rule as written'),
})
export type RuleView = Shape<typeof RuleView>

const RulesInForce = object({
  digest: text(),
  loadedAt: nullable(instant()),
  rules: list(RuleView, 'In the order in which they are judged'),
})
export type RulesInForce = Shape<typeof RulesInForce>

/** The rules in force, and the reasoning by them. */
export const policyRoutes = {
  'GET /api/v1/policy/why': {
    summary: 'Why a principal may or may not request a resource',
    access: 'user',
    scope: 'read',
    query: object({
      principal: Type.Optional(
        Type.String({ minLength: 1, maxLength: 256, description: 'Id, e-mail or name; omitted: yourself' }),
      ),
      resource: ResourceReference,
      level: Type.Optional(Type.String({ minLength: 1, maxLength: 64, description: 'Omitted: every level' })),
    }),
    answer: { 200: WhyAnswer },
  },
  'GET /api/v1/rules': {
    summary: 'The current rules',
    access: 'auditor',
    scope: 'read',
    answer: { 200: RulesInForce },
  },
} as const satisfies Record<string, RouteContract>

const PlannedGrant = object({
  id: text(),
  principal: Named,
  resourceId: text(),
  level: text(),
  sessions: count('Open ones, which end with it'),
  endsAt: nullable(instant('Until when it is shortened; null: it ends')),
  text: text('Why'),
})
export type PlannedGrant = Shape<typeof PlannedGrant>

const PlannedRequest = object({
  id: text(),
  beneficiary: Named,
  resourceId: text(),
  level: text(),
  becomes: oneOf(['cancelled', 'refused', 'voided'], 'voided: it loses its approvals'),
  text: text('Why'),
})
export type PlannedRequest = Shape<typeof PlannedRequest>

const Names = object({ added: list(text()), removed: list(text()), changed: list(text()) }, 'At most 100 of each')

const ConfigPlan = object(
  {
    ok: flag('False: the file has problems, and a reload would be refused'),
    problems: list(object({ path: text(), message: text(), fix: Type.Optional(text()) })),
    isSame: flag('Rules, levels, resources and inventory are as they are in force'),
    settings: list(object({ path: text(), from: text(), to: text() }), 'Of `inventory`'),
    rules: Names,
    resources: Names,
    levelsChanged: flag(),
    afterRestart: list(text(), 'Sections that have changed, and take effect after a restart'),
    leaving: object({ total: count(), first: list(text(), 'Ids, at most 100') }, 'Resources that leave the catalog'),
    sessions: count('Open ones that end'),
    grants: object({ total: count(), first: list(PlannedGrant, 'At most 500') }, 'That end, or are shortened'),
    requests: object({ total: count(), first: list(PlannedRequest, 'At most 500') }, 'That are decided anew'),
  },
  'What a reload would do now',
)
export type ConfigPlan = Shape<typeof ConfigPlan>

/** The configuration file of the daemon. */
export const configRoutes = {
  'GET /api/v1/config/plan': {
    summary: 'What a reload of the configuration file would change and end, without doing it',
    access: 'admin',
    scope: 'admin',
    answer: { 200: ConfigPlan },
  },
} as const satisfies Record<string, RouteContract>
