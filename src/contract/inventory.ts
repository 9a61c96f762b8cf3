import type { RouteContract } from './route-contract.ts'
import { count, instant, list, nullable, object, oneOf, type Shape, text } from './schema.ts'

const InventoryScope = object(
  {
    scope: text('What is read in one pass'),
    organization: nullable(text()),
    state: oneOf(
      ['waiting', 'reading', 'good', 'failed'],
      'How the last pass ended; waiting: none was made yet, or one was asked for. `reading` is shown by the daemon that reads',
    ),
    goodAt: nullable(
      instant(
        'When the last pass began that saw all of it; by other daemons than the one that reads up to an hour early',
      ),
    ),
    triedAt: nullable(instant('When the last pass began')),
    requestedAt: nullable(instant('When a pass was asked for that has not been made yet')),
    resources: count('How many are known'),
    missing: count('Of these, how many the last good pass did not find; the next one removes them'),
    error: nullable(text('Why the last pass counts for nothing')),
    fix: nullable(text('What to do about it')),
    progress: nullable(
      object({ phase: text(), done: count(), total: nullable(count()) }, 'Of the pass that this daemon makes'),
    ),
  },
  'What is read of AWS in one pass, and how that went',
)
export type InventoryScope = Shape<typeof InventoryScope>

const answer = { 200: object({ scopes: list(InventoryScope, 'Empty while `inventory` reads nothing') }) }

export const inventoryRoutes = {
  'GET /api/v1/inventory/scopes': {
    summary: 'What is read of AWS into the catalog, when it was, and what went wrong',
    access: 'admin',
    scope: 'admin',
    answer,
  },
  'POST /api/v1/inventory/sync': {
    summary: 'Asks for a pass over all that is read of AWS, by whichever daemon does it',
    access: 'admin',
    scope: 'admin',
    answer,
  },
} as const satisfies Record<string, RouteContract>
