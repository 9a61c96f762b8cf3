import { Type } from 'typebox'
import { Named } from './references.ts'
import type { RouteContract } from './route-contract.ts'
import { count, flag, instant, list, nullable, object, oneOf, type Shape, text } from './schema.ts'

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
